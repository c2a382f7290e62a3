"""From a record to its event, or to the reason why there is none; and which events are wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

from eventlab.orders.cloudevents import decode
from eventlab.orders.errors import UnknownEventType
from eventlab.orders.events import Event
from eventlab.orders.inbox import Arrival
from eventlab.orders.version0 import FindOrder


class Reading:
    """Decodes records, and leaves out those of other types and those that `where` does not want.

    A type that nobody knows is left out too when certain types are asked for; else it is an error.
    `find_order(order_id)` tells what an event of version 0 does not say.
    """

    def __init__(
        self,
        handled: Collection[type[Event]],
        types: Collection[type[Event]] | None,
        where: Callable[[Event], object] | None,
        find_order: FindOrder | None = None,
    ) -> None:
        self._types = set(handled) & set(types or handled)
        self._skips, self._where = types is not None, where
        self._find_order = find_order

    def arrivals(self, records: Iterable[Any]) -> Iterator[Arrival]:
        """Yield the records that are wanted, and those that cannot be read."""
        for record in records:
            try:
                event = decode(record, self._find_order)
                if type(event) in self._types and (self._where is None or self._where(event)):
                    yield Arrival(record, event)
            except UnknownEventType as error:
                if not self._skips:
                    yield Arrival(record, None, error)
            except Exception as error:  # what is wrong with it, or what those two raise
                yield Arrival(record, None, error)

    def again(self, arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
        """Yield arrivals that are tried again; who could not be asked then is asked now."""
        for arrival in arrivals:
            if arrival.error is None:
                yield arrival
            for read in self.arrivals([arrival.record] if arrival.error else ()):
                yield replace(read, tries=arrival.tries)
