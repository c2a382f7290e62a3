"""The rows of the outbox: records that wait, in the order in which they were added."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from eventlab.orders.cloudevents import encode
from eventlab.orders.events import Event
from eventlab.orders.store.schema import outbox


def add(db: Connection, event: Event, topic: str = "orders") -> None:
    """Let an event be sent once the transaction of this connection is committed."""
    record = encode(event)
    row = {"topic": topic, "key": record.key, "value": record.value}
    headers = [[name, text.decode()] for name, text in record.headers]
    db.execute(outbox.insert(), {**row, "headers": headers, "created": datetime.now(UTC)})
