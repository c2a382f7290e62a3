"""Which events have had their effect: the table that makes at-least-once delivery harmless.

The id of an event is written before its handler runs: on PostgreSQL a second subscriber that was
given the same record waits there until the first one is done, and then finds the id.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from sqlalchemy import Connection, bindparam, select

from eventlab.orders.errors import EventConflict
from eventlab.orders.inbox.arrivals import Arrival
from eventlab.orders.store.many import among, execute
from eventlab.orders.store.schema import processed_events
from eventlab.orders.store.upsert import insert

_T = processed_events.c
_SEEN = select(_T.event_id, _T.checksum)
_UNDONE = processed_events.delete().where(
    _T.subscriber == bindparam("by"), _T.event_id == bindparam("of")
)


class Raced(Exception):
    """Another subscriber wrote the same ids since they were looked for."""


class Processed:
    """The ids of the events of a batch, written; those whose event is not done are taken back."""

    def __init__(self, db: Connection, subscriber: str, batch: Iterable[Arrival]) -> None:
        self._db, self._subscriber = db, subscriber
        now, rows = datetime.now(UTC), dict[str, dict[str, Any]]()
        for arrival in batch:
            if arrival.event is not None and arrival.error is None:
                name = arrival.event.unique_id
                if name not in rows:
                    rows[name] = self._row(name, arrival, now)
        self._checks: dict[str, int] = {name: row["checksum"] for name, row in rows.items()}
        mine = _SEEN.where(_T.subscriber == subscriber)
        seen = dict(map(tuple, among(db, mine, _T.event_id, list(rows))))
        self._checks.update(seen)
        self._new = rows.keys() - seen.keys()
        self._left = set(self._new)
        new = [row for name, row in rows.items() if name in self._new]
        if execute(db, insert(db, processed_events).on_conflict_do_nothing(), new) < len(new):
            raise Raced  # PostgreSQL has waited until they were committed: now they are seen

    def is_new(self, arrival: Arrival) -> bool:
        """Say, once, that an event is new; EventConflict when its id is that of another one."""
        assert arrival.event is not None
        name = arrival.event.unique_id
        if self._checks[name] != _checksum(arrival):
            record = arrival.record
            raise EventConflict(
                "Two events that are not the same have one id.",
                f"{arrival.event.event_id} is at offset {record.offset} of "
                f"{record.topic}-{record.partition}, and there was another one before.",
                "Give every event an id of its own; a copy has to be the same in type and bytes.",
            )
        if name not in self._left:
            return False
        self._left.remove(name)
        return True

    def keep(self, done: Iterable[Arrival]) -> None:
        """Take back the ids of the events that are not among these."""
        kept = {arrival.event.unique_id for arrival in done if arrival.event}
        if undone := self._new - kept:
            self._db.execute(_UNDONE, [{"by": self._subscriber, "of": name} for name in undone])

    def _row(self, name: str, arrival: Arrival, now: datetime) -> dict[str, Any]:
        record = arrival.record
        return {
            "subscriber": self._subscriber,
            "event_id": name,
            "checksum": _checksum(arrival),
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "processed": now,
        }


def _checksum(arrival: Arrival) -> int:
    """In binary mode the value is the data alone: a refund may have the bytes of its payment."""
    assert arrival.event is not None
    return crc32(arrival.record.value, crc32(arrival.event.type.encode()))
