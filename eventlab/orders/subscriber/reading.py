"""From a record to its event, or to the reason why there is none; and which events are wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from eventlab.orders.cloudevents import decode
from eventlab.orders.errors import UnknownEventType
from eventlab.orders.events import Event
from eventlab.orders.inbox import Arrival


class Reading:
    """Decodes records, and leaves out those of other types and those that `where` does not want.

    A type that nobody knows is left out too when certain types are asked for; else it is an error.
    """

    def __init__(
        self,
        handled: Collection[type[Event]],
        types: Collection[type[Event]] | None,
        where: Callable[[Event], object] | None,
    ) -> None:
        self._types = set(handled) & set(types or handled)
        self._skips, self._where = types is not None, where

    def arrivals(self, records: Iterable[Any]) -> Iterator[Arrival]:
        """Yield the records that are wanted, and those that cannot be read."""
        for record in records:
            try:
                event = decode(record)
                if type(event) in self._types and (self._where is None or self._where(event)):
                    yield Arrival(record, event)
            except UnknownEventType as error:
                if not self._skips:
                    yield Arrival(record, None, error)
            except Exception as error:  # what is wrong with it, or with `where`
                yield Arrival(record, None, error)
