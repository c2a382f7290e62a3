"""Which request an Idempotency-Key came with, and the event that was made of it.

`draft-ietf-httpapi-idempotency-key-header-07`: a client that does not know whether a POST arrived
sends it again with the same key, and it happens once. A key is kept for a day.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select

from eventlab.orders import wire
from eventlab.orders.cloudevents import Encoded, decode, encode
from eventlab.orders.events import Event
from eventlab.orders.kinds import to_fields
from eventlab.orders.store.schema import requests
from eventlab.orders.web.errors import KeyReused

KEPT = timedelta(days=1)

_FOUND = select(requests).where(requests.c.key == bindparam("of"))
_SENT = requests.update().where(requests.c.key == bindparam("of")).values(sent=bindparam("at"))


class Kept(NamedTuple):
    """The event of a request, and whether it is known to be in its topic, or its outbox."""

    event: Event
    sent: bool


def fingerprint(order_id: str, command: Any) -> str:
    """Return what two requests share when they ask for the same: SHA-256 of what they ask."""
    asked = wire.dumps([type(command).__name__, order_id, to_fields(command)])
    return hashlib.sha256(asked).hexdigest()


def find(db: Connection, key: str, asked: str) -> Kept | None:
    """Return what was kept for a key; KeyReused when it came with another request."""
    row = db.execute(_FOUND, {"of": key}).one_or_none()
    if row is None:
        return None
    if row.fingerprint != asked:
        raise KeyReused(
            "Idempotency-Key is already used.",
            "It came with another request before.",
            "An Idempotency-Key must not be reused across different payloads: send a new one.",
        )
    return Kept(decode(Encoded(row.event_key, row.event_value, [])), row.sent is not None)


def keep(db: Connection, key: str, asked: str, event: Event, sent: bool) -> None:
    """Keep the event of a key, and forget the keys of yesterday."""
    now, record = datetime.now(UTC), encode(event)
    db.execute(requests.delete().where(requests.c.created < now - KEPT))
    row = {"key": key, "fingerprint": asked, "created": now, "sent": now if sent else None}
    record_columns = {"event_key": record.key, "event_value": record.value}
    db.execute(requests.insert(), {**row, **record_columns})


def note_sent(db: Connection, key: str) -> None:
    """Note that the event of a key was acknowledged."""
    db.execute(_SENT, {"of": key, "at": datetime.now(UTC)})
