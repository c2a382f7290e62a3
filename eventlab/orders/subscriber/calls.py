"""Handlers without a database: called once for each delivery, which may come again."""

from __future__ import annotations

import asyncio
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from eventlab.orders.events import Event
from eventlab.orders.inbox import Arrival, Taken
from eventlab.orders.inbox.steps import Steps


class Calls:
    """Calls the handler of each event, in the order of the batch.

    Async handlers of events with different keys run at the same time, those of one key one after
    the other: each is awaited before the next one begins.
    """

    def __init__(
        self,
        handlers: Mapping[type[Event], Callable[[Any], Any]],
        tries: int,
        run: Callable[[Any], object],
    ) -> None:
        self._handlers, self._tries, self._run = handlers, tries, run
        self._at_once = any(inspect.iscoroutinefunction(each) for each in handlers.values())

    def take(self, batch: Sequence[Arrival], wanted: Callable[[Arrival], bool]) -> Taken:
        """Handle a batch; return what is dead, and what is to be tried again."""
        steps = Steps(self._tries)
        if self._at_once:
            lines = defaultdict(list)
            for arrival in batch:
                lines[arrival.line].append(arrival)
            self._run(_all(self._line(each, steps, wanted) for each in lines.values()))
            steps.taken.waiting.sort(key=_place)
            steps.taken.dead.sort(key=lambda pair: _place(pair[0]))
            return steps.taken
        for arrival in _ready(batch, steps, wanted):
            try:
                self._call(arrival)
            except Exception as error:
                steps.failed(arrival, error)
        return steps.taken

    async def _line(
        self, arrivals: Iterable[Arrival], steps: Steps, wanted: Callable[[Arrival], bool]
    ) -> None:
        for arrival in _ready(arrivals, steps, wanted):
            try:
                result = self._call(arrival)
                if inspect.isawaitable(result):
                    await result
            except Exception as error:
                steps.failed(arrival, error)

    def _call(self, arrival: Arrival) -> Any:
        if arrival.error is not None or arrival.event is None:
            raise arrival.error or ValueError("an arrival has an event or an error")
        return self._handlers[type(arrival.event)](arrival.event)


def _ready(
    arrivals: Iterable[Arrival], steps: Steps, wanted: Callable[[Arrival], bool]
) -> Iterator[Arrival]:
    """Yield those that need not wait, each when those before it are handled."""
    for arrival in arrivals:
        if not wanted(arrival):
            steps.hold(arrival)
        elif not steps.holds(arrival):
            yield arrival


async def _all(chains: Iterable[Any]) -> None:
    await asyncio.gather(*chains)


def _place(arrival: Arrival) -> tuple[str, int, int]:
    return arrival.record.topic, arrival.record.partition, arrival.record.offset
