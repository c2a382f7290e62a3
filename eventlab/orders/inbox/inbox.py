"""The inbox itself: one transaction for a batch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from eventlab.orders.events import Event
from eventlab.orders.handlers import HANDLERS
from eventlab.orders.inbox.arrivals import Arrival, Taken
from eventlab.orders.inbox.at_once import AtOnce
from eventlab.orders.inbox.one_by_one import OneByOne
from eventlab.orders.inbox.parking import Parking
from eventlab.orders.inbox.processed import Processed, Raced
from eventlab.orders.inbox.steps import REFUSED, Steps
from eventlab.orders.store import Store
from eventlab.orders.store.many import execute
from eventlab.orders.store.schema import stream_time
from eventlab.orders.store.upsert import insert

Wanted = Callable[[Arrival], bool]


class Inbox:
    """What one subscriber has handled; `subscriber` is its name, as a rule its group_id.

    A `DomainError`, or values that the tables refuse, make an event dead at once, any other error
    after so many `tries`: what it needs may still come. With `park`, events whose key has a dead
    one before them are dead too, until that one is handled. `timer(db)` is called at the end of
    each transaction; `run` waits for what an async handler returned.
    """

    def __init__(
        self,
        store: Store,
        subscriber: str,
        handlers: Mapping[type[Event], Any] = HANDLERS,
        *,
        tries: int = 1,
        park: bool = False,
        timer: Callable[[Connection], object] | None = None,
        run: Callable[[Any], object] | None = None,
    ) -> None:
        self._store, self._subscriber, self._handlers = store, subscriber, handlers
        self._tries, self._park, self._timer, self._run = tries, park, timer, run

    def take(self, batch: Sequence[Arrival], wanted: Wanted = lambda _: True) -> Taken:
        """Handle a batch, in its order; StoreAway when nothing of it could be kept.

        `wanted` is asked right before each event: what is not wanted now waits, untouched.
        """
        while True:
            with contextlib.suppress(Raced):
                return self._try(batch, wanted)

    def _try(self, batch: Sequence[Arrival], wanted: Wanted) -> Taken:
        if self._handlers is HANDLERS:
            # The tables refuse what AtOnce could not see: one by one, then.
            with contextlib.suppress(*REFUSED), self._store.transaction() as db:
                events = [arrival.event for arrival in batch if arrival.event]
                return self._take(db, batch, AtOnce(db, events), wanted)
        with self._store.transaction() as db:
            return self._take(db, batch, OneByOne(self._handlers, db, self._run), wanted)

    def _take(
        self, db: Connection, batch: Sequence[Arrival], way: OneByOne | AtOnce, wanted: Wanted
    ) -> Taken:
        processed = Processed(db, self._subscriber, batch)
        parking = Parking(db, self._subscriber, batch if self._park else ())
        steps = Steps(self._tries)
        for arrival in batch:
            if not wanted(arrival):
                steps.hold(arrival)
            elif steps.take(arrival, lambda: _handle(arrival, processed, parking, way)):  # noqa: B023
                parking.add(arrival)
        way.write()
        processed.keep(steps.done)
        self._tell_time(db, steps.done)
        if self._timer:
            self._timer(db)
        return steps.taken

    def _tell_time(self, db: Connection, done: Sequence[Arrival]) -> None:
        times: dict[tuple[str, int], datetime] = {}
        for arrival in done:
            if arrival.event:
                place = arrival.record.topic, arrival.record.partition
                times[place] = max(arrival.event.time, times.get(place, arrival.event.time))
        rows = [
            {"subscriber": self._subscriber, "topic": topic, "partition": part, "time": time}
            for (topic, part), time in sorted(times.items())  # two that write lock in one order
        ]
        query = insert(db, stream_time)
        later = {"set_": {"time": query.excluded.time}}
        later["where"] = query.excluded.time > stream_time.c.time
        keep = query.on_conflict_do_update(index_elements=stream_time.primary_key, **later)
        execute(db, keep, rows)


def _handle(
    arrival: Arrival, processed: Processed, parking: Parking, way: OneByOne | AtOnce
) -> None:
    """Handle one event unless it was handled before; raise what is wrong with it."""
    if arrival.error is not None or arrival.event is None:
        raise arrival.error or ValueError("an arrival has an event or an error")
    new = processed.is_new(arrival)
    if parking.on and (new or parking.has(arrival)):
        parking.check(arrival)
    if new:
        way.apply(arrival.event)
    if parking.on:
        parking.remove(arrival)
