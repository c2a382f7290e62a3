"""The thread in which batches are handled, so that a slow handler does not keep others waiting.

Its subscriber goes on polling meanwhile: a member that does not poll for max.poll.interval.ms has
to leave its group, and a rebalance waits for each member to poll.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from eventlab.errors import InvalidSetting
from eventlab.orders import traces
from eventlab.orders.events import Event
from eventlab.orders.inbox import Arrival, Inbox, Taken
from eventlab.orders.store import Store
from eventlab.orders.store.errors import StoreAway
from eventlab.orders.subscriber.calls import Calls
from eventlab.orders.subscriber.dead_letters import DeadLetters
from eventlab.orders.subscriber.reading import Reading

log = logging.getLogger(__name__)


class Worker:
    """Reads, handles and puts aside; `away` is how often in a row the database did not answer."""

    def __init__(
        self,
        name: str,
        reading: Reading,
        store: Store | None,
        handlers: Mapping[type[Event], Callable[..., Any]],
        **more: Any,
    ) -> None:
        self.away = 0
        self._name, self._reading = name, reading
        self._work: Inbox | Calls
        if store:
            self._work = Inbox(store, name, handlers, run=self._run_async, **more)
        elif more["park"] or more["timer"]:
            raise InvalidSetting(
                "Parking and timers need a database.",
                f"You gave park={more['park']}, timer={more['timer']}, and no store.",
                "Pass store=Store('shop.db').",
            )
        else:
            self._work = Calls(handlers, more["tries"], self._run_async)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._letters: DeadLetters | None = None
        self._wants: Callable[[Arrival], bool] = lambda _: True
        self._thread = ThreadPoolExecutor(1, f"{name} handlers")  # starts with its first batch

    def begin(self, letters: DeadLetters, wants: Callable[[Arrival], bool]) -> None:
        """Say where dead letters go, and which arrivals are wanted at the time they are handled."""
        self._letters, self._wants = letters, wants

    def submit(self, again: Sequence[Arrival], records: Sequence[Any]) -> Future[Taken]:
        """Handle arrivals again and records for the first time, in the thread."""
        return self._thread.submit(self._handle, again, records)

    def close(self) -> None:
        """End the thread when it is done, with what it opened."""
        self._thread.submit(self._end)
        self._thread.shutdown()

    def _handle(self, again: Sequence[Arrival], records: Sequence[Any]) -> Taken:
        batch = [*self._reading.again(again), *self._reading.arrivals(records)]
        try:
            with traces.handled(self._name, [arrival.record for arrival in batch]):
                taken = self._work.take(batch, self._wants)
        except StoreAway as error:
            log.warning("%s waits for its database: %s", self._name, error)
            self.away += 1
            return Taken(waiting=batch)
        self.away = 0
        lost = self._letters.send(taken.dead) if self._letters and taken.dead else []
        if not lost:
            return taken
        kept = {id(arrival) for arrival in lost}
        sent = [letter for letter in taken.dead if id(letter[0]) not in kept]
        return Taken(sent, sorted([*taken.waiting, *lost], key=_place))

    def _run_async(self, awaitable: Any) -> object:
        """Wait for an async handler."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(awaitable)

    def _end(self) -> None:
        if self._loop is not None:
            self._loop.close()
        if self._letters is not None:
            self._letters.close()


def _place(arrival: Arrival) -> tuple[str, int, int]:
    return arrival.record.topic, arrival.record.partition, arrival.record.offset
