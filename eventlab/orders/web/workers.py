"""A few threads for what blocks: SQL, and Kafka's producer; whoever waits has a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from eventlab.orders.web.errors import TooSlow
from eventlab.waiting import Deadline

T = TypeVar("T")

THREADS = 8
WITHIN = 8.0  # seconds; longer than Kafka and the database are waited for, which say more


class Workers:
    """A bounded pool. What has not begun at its deadline never begins."""

    def __init__(self, threads: int = THREADS, within: float = WITHIN) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="eventlab-web")
        self._within = within

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Return what a blocking function returns; TooSlow at the deadline."""
        deadline = Deadline(self._within)
        work = asyncio.wrap_future(self._pool.submit(function, *args))
        try:
            async with asyncio.timeout(deadline.left) as waiting:
                return await work
        except TimeoutError:
            if not waiting.expired():  # it is an error of the function itself
                raise
            raise TooSlow(
                "The shop did not answer in time.",
                f"It was given {deadline.seconds:.0f} seconds.",
                "Send it again with the same Idempotency-Key: it happens once.",
            ) from None

    async def close(self) -> None:
        """Let nothing more begin, and wait for what is under way, which ends by itself."""
        closing = asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        await asyncio.wait_for(closing, Deadline(2 * self._within).seconds)
