"""Where REST and Socket.IO hand in what they were asked: off the event loop, counted, in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from eventlab.errors import EventlabError
from eventlab.orders.events import Event
from eventlab.orders.store import Store
from eventlab.orders.web.intake import Intake
from eventlab.orders.web.metrics import Metrics
from eventlab.orders.web.workers import Workers

T = TypeVar("T")


class Desk:
    """The store and the intake for coroutines; whatever is refused is an EventlabError."""

    def __init__(self, intake: Intake, metrics: Metrics) -> None:
        self.store: Store = intake.store
        self._intake = intake
        self._metrics = metrics
        self._workers = Workers()

    async def accept(self, command: Any, order_id: str, new: bool = False, key: str = "") -> Event:
        """Return the event of a command, once it is in the topic or in the outbox."""
        try:
            event = await self.run(self._intake.accept, command, order_id, new, key)
        except EventlabError as error:
            self._metrics.failed.labels(type(error).__name__).inc()
            raise
        self._metrics.published.labels(event.type).inc()
        return event

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Return what a function gives that blocks; TooSlow when it takes too long."""
        return await self._workers.run(function, *args)

    async def close(self) -> None:
        """Wait for what is under way."""
        await self._workers.close()
