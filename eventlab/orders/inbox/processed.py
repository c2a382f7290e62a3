"""Which events have had their effect: the table that makes at-least-once delivery harmless.

The id of an event is written before its handler runs: on PostgreSQL a second subscriber that was
given the same record waits there until the first one is done, and then finds the id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, bindparam, select

from eventlab.orders.errors import EventConflict
from eventlab.orders.events import Event
from eventlab.orders.inbox.arrivals import Arrival
from eventlab.orders.store.schema import processed_events
from eventlab.orders.store.upsert import insert

_SEEN = (
    select(processed_events.c.event_id, processed_events.c.checksum)
    .where(processed_events.c.subscriber == bindparam("by"))
    .where(processed_events.c.event_id.in_(bindparam("ids", expanding=True)))
)
_UNDONE = processed_events.delete().where(
    processed_events.c.subscriber == bindparam("by"),
    processed_events.c.event_id == bindparam("of"),
)


class Processed:
    """The ids of the events of a batch, written; those whose event is not done are taken back."""

    def __init__(self, db: Connection, subscriber: str, batch: Iterable[Arrival]) -> None:
        self._db, self._subscriber = db, subscriber
        rows: dict[str, dict[str, Any]] = {}
        for arrival in batch:
            if arrival.event is not None and arrival.error is None:
                name = _id(arrival.event)
                if name not in rows:
                    rows[name] = self._row(name, arrival)
        self._checks: dict[str, int] = {name: row["checksum"] for name, row in rows.items()}
        self._new = self._write(list(rows.values())) if rows else set()
        self._left = set(self._new)
        if before := [name for name in rows if name not in self._new]:
            seen = db.execute(_SEEN, {"by": subscriber, "ids": before})
            self._checks.update((row.event_id, row.checksum) for row in seen)

    def _write(self, rows: Sequence[dict[str, Any]]) -> set[str]:
        query = insert(self._db, processed_events).on_conflict_do_nothing()
        return set(self._db.scalars(query.returning(processed_events.c.event_id), rows))

    def is_new(self, arrival: Arrival) -> bool:
        """Say, once, that an event is new; EventConflict when its id is that of another one."""
        assert arrival.event is not None
        name = _id(arrival.event)
        if self._checks[name] != _checksum(arrival.record.value):
            record = arrival.record
            raise EventConflict(
                "Two events that are not the same have one id.",
                f"{arrival.event.event_id} is at offset {record.offset} of "
                f"{record.topic}-{record.partition}, and there was another one before.",
                "Give every event an id of its own; a copy has to be the same in every byte.",
            )
        if name not in self._left:
            return False
        self._left.remove(name)
        return True

    def keep(self, done: Iterable[Arrival]) -> None:
        """Take back the ids of the events that are not among these."""
        kept = {_id(arrival.event) for arrival in done if arrival.event}
        if undone := self._new - kept:
            self._db.execute(_UNDONE, [{"by": self._subscriber, "of": name} for name in undone])

    def _row(self, name: str, arrival: Arrival) -> dict[str, Any]:
        record = arrival.record
        return {
            "subscriber": self._subscriber,
            "event_id": name,
            "checksum": _checksum(record.value),
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "processed": datetime.now(UTC),
        }


def _id(event: Event) -> str:
    """CloudEvents: the id is unique within its source."""
    return f"{event.event_id} {event.source}"


def _checksum(value: bytes) -> int:
    return int.from_bytes(blake2b(value, digest_size=8).digest(), "big", signed=True)
