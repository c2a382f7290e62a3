"""The rows of the outbox: records that wait, in the order in which they were added."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from zlib import crc32

from sqlalchemy import Connection, func, select

from eventlab.cluster.topics import check_name
from eventlab.orders import traces
from eventlab.orders.cloudevents import Encoded, encode
from eventlab.orders.errors import EventEncodeError
from eventlab.orders.events import Event
from eventlab.orders.store.schema import outbox
from eventlab.orders.wire import MOST_BYTES

_LARGEST = MOST_BYTES - 1024  # the rest is for what Kafka adds: a relay must not find it too large


class Waiting(NamedTuple):
    """An event that waits in the outbox."""

    position: int
    topic: str
    record: Encoded


def add(db: Connection, event: Event, topic: str = "orders") -> None:
    """Let an event be sent once the transaction of this connection is committed, and not before.

    Events of one key are sent in the order in which they were added: in PostgreSQL, transactions
    that add for the same key take turns, as all that write do in SQLite. Who adds for many keys
    does it in the order of the keys, so that no two wait for each other.
    EventEncodeError when the event has no record, InvalidSetting when no topic can have this name.
    """
    check_name(topic)
    record = traces.sent(event, encode(event), topic)
    _check_size(record)
    if db.dialect.name == "postgresql":
        # A position is taken when a row is added, and seen when its transaction is committed.
        # Without this, 7 could be seen, and sent, before 6.
        number = crc32(topic.encode() + b"\0" + record.key) - (1 << 31)
        db.execute(select(func.pg_advisory_xact_lock(crc32(b"outbox") - (1 << 31), number)))
    headers = [[name, text.decode()] for name, text in record.headers]
    row = {"topic": topic, "key": record.key, "value": record.value, "headers": headers}
    db.execute(outbox.insert(), {**row, "created": datetime.now(UTC)})


def first(db: Connection, most: int) -> list[Waiting]:
    """Return the first events that wait.

    Those of one key are in the order in which they were added. What is read here is removed one by
    one and not "up to a position", so a row that is seen late is not skipped.
    """
    rows = db.execute(select(outbox).order_by(outbox.c.position).limit(most))
    return [
        Waiting(r.position, r.topic, Encoded(r.key, r.value, _headers(r.headers))) for r in rows
    ]


def waiting(db: Connection) -> tuple[int, float]:
    """Return how many events wait, and for how many seconds the first one has."""
    query = select(func.count(), func.min(outbox.c.created)).select_from(outbox)
    count, since = db.execute(query).one()
    return count, (datetime.now(UTC) - since).total_seconds() if count else 0.0


def remove(db: Connection, positions: Sequence[int]) -> None:
    """Forget events that are in Kafka."""
    db.execute(outbox.delete().where(outbox.c.position.in_(positions)))


def _headers(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, bytes]]:
    return [(name, text.encode()) for name, text in pairs]


def _check_size(record: Encoded) -> None:
    headers = sum(len(name) + len(text) for name, text in record.headers)
    size = len(record.key) + len(record.value) + headers
    if size > _LARGEST:
        what = "The event is too large for a record."
        seen = f"It has {size:,} bytes with its key and headers, more than {_LARGEST:,}."
        raise EventEncodeError(what, seen, "Send less, or an id where the rest can be had.")
