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
from eventlab.orders.inbox.deliveries import Delivery
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

    def __init__(self, db: Connection, subscriber: str, batch: Iterable[Delivery] = ()) -> None:
        self._db, self._subscriber = db, subscriber
        self._keys = {delivery.record.key for delivery in batch if delivery.record.key}
        self._parked: dict[tuple[str, bytes], list[Place]] = defaultdict(list)
        if self._keys:
            asked = {"by": subscriber, "keys": list(self._keys)}
            for topic, key, partition, offset in db.execute(_WAITING, asked):
                self._parked[topic, bytes(key)].append((partition, offset))

    def has(self, delivery: Delivery) -> bool:
        """Say whether this one is parked itself."""
        return letters.place(delivery.record) in self._places(delivery)

    def check(self, delivery: Delivery) -> None:
        """Raise KeyParked when another dead letter of this key comes first."""
        places = self._places(delivery)
        if places and places[0] != letters.place(delivery.record):
            partition, offset = places[0]
            raise KeyParked(
                "An event of the same key is dead, and this one comes after it.",
                f"The other one was at offset {offset} of {delivery.record.topic}-{partition}.",
                "Replay the dead-letter topic when the cause is mended; they come in their order.",
            )

    def add(self, delivery: Delivery) -> None:
        """Note a dead letter; one without a key has nobody behind it."""
        place = letters.place(delivery.record)
        if delivery.record.key in self._keys and place not in self._places(delivery):
            self._places(delivery).append(place)
            row = {"subscriber": self._subscriber, "topic": delivery.record.topic}
            row |= {"key": delivery.record.key, "partition": place[0], "offset": place[1]}
            self._db.execute(parked_events.insert(), row)

    def remove(self, delivery: Delivery) -> None:
        """Note that an event was handled; if it was a dead letter, the next one may be."""
        places = self._places(delivery)
        if places and places[0] == letters.place(delivery.record):
            partition, offset = places.pop(0)
            _remove(self._db, self._subscriber, delivery.record.topic, partition, offset)

    def _places(self, delivery: Delivery) -> list[Place]:
        return self._parked[delivery.record.topic, delivery.record.key or b""]


def discard(store: Store, subscriber: str, topic: str, partition: int, offset: int) -> bool:
    """Give up a parked event for good, so that those behind it may go on; say whether it was there.

    The place is where it was first: original_partition and original_offset of its dead letter.
    """
    with store.transaction() as db:
        return _remove(db, subscriber, topic, partition, offset)


def _remove(db: Connection, subscriber: str, topic: str, partition: int, offset: int) -> bool:
    place: dict[str, Any] = {"in_topic": topic, "in_partition": partition, "at": offset}
    return bool(db.execute(_GONE, {"by": subscriber, **place}).rowcount)
