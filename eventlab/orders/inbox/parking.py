"""Events that wait for one before them: with a dead letter of its key, an event is one too.

The oldest of a key's dead letters may be handled when it comes back, then the next one: a replay
that sends them in their order is handled in their order, and whatever comes meanwhile queues up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, select

from eventlab.orders import letters
from eventlab.orders.inbox.arrivals import Arrival
from eventlab.orders.inbox.errors import KeyParked
from eventlab.orders.store import Store
from eventlab.orders.store.schema import parked_events

_T = parked_events.c
_WAITING = (
    select(_T.topic, _T.key, _T.partition, _T.offset)
    .where(_T.subscriber == bindparam("by"), _T.key.in_(bindparam("keys", expanding=True)))
    .order_by(_T.number)
)
_GONE = parked_events.delete().where(
    _T.subscriber == bindparam("by"),
    _T.topic == bindparam("in_topic"),
    _T.partition == bindparam("in_partition"),
    _T.offset == bindparam("at"),
)

Place = tuple[int, int]


class Parking:
    """What is parked of the keys of a batch; nothing, and nothing will be, without a batch."""

    def __init__(self, db: Connection, subscriber: str, batch: Iterable[Arrival] = ()) -> None:
        self._db, self._subscriber = db, subscriber
        self._keys = {arrival.record.key for arrival in batch if arrival.record.key}
        self.on = bool(self._keys)
        self._parked: dict[tuple[str, bytes], list[Place]] = defaultdict(list)
        if self._keys:
            asked = {"by": subscriber, "keys": list(self._keys)}
            for topic, key, partition, offset in db.execute(_WAITING, asked):
                self._parked[topic, bytes(key)].append((partition, offset))

    def has(self, arrival: Arrival) -> bool:
        """Say whether this one is parked itself."""
        return letters.place(arrival.record) in self._places(arrival)

    def check(self, arrival: Arrival) -> None:
        """Raise KeyParked when another dead letter of this key comes first."""
        places = self._places(arrival)
        if places and places[0] != letters.place(arrival.record):
            partition, offset = places[0]
            raise KeyParked(
                "An event of the same key is dead, and this one comes after it.",
                f"The other one was at offset {offset} of {arrival.record.topic}-{partition}.",
                "Replay the dead-letter topic when the cause is mended; they come in their order.",
            )

    def add(self, arrival: Arrival) -> None:
        """Note a dead letter; one without a key has nobody behind it."""
        place = letters.place(arrival.record)
        if arrival.record.key in self._keys and place not in self._places(arrival):
            self._places(arrival).append(place)
            row = {"subscriber": self._subscriber, "topic": arrival.record.topic}
            row |= {"key": arrival.record.key, "partition": place[0], "offset": place[1]}
            self._db.execute(parked_events.insert(), row)

    def remove(self, arrival: Arrival) -> None:
        """Note that an event was handled; if it was a dead letter, the next one may be."""
        places = self._places(arrival)
        if places and places[0] == letters.place(arrival.record):
            partition, offset = places.pop(0)
            _remove(self._db, self._subscriber, arrival.record.topic, partition, offset)

    def _places(self, arrival: Arrival) -> list[Place]:
        return self._parked[arrival.record.topic, arrival.record.key or b""]


def discard(store: Store, subscriber: str, topic: str, partition: int, offset: int) -> bool:
    """Give up a parked event for good, so that those behind it may go on; say whether it was there.

    The place is where it was first: original_partition and original_offset of its dead letter.
    """
    with store.transaction() as db:
        return _remove(db, subscriber, topic, partition, offset)


def _remove(db: Connection, subscriber: str, topic: str, partition: int, offset: int) -> bool:
    place: dict[str, Any] = {"in_topic": topic, "in_partition": partition, "at": offset}
    return bool(db.execute(_GONE, {"by": subscriber, **place}).rowcount)
