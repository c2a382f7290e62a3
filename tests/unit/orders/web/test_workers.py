"""What blocks has a thread and a deadline; nobody waits for longer, and nothing is left."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from eventlab.errors import NeverHappened
from eventlab.orders.web.errors import TooSlow
from eventlab.orders.web.workers import Workers
from tests.unit.refusals import refused


def test_what_takes_too_long_is_not_waited_for():
    """TooSlow at the deadline; what has not begun by then never does."""
    go_on, begun = threading.Event(), []

    async def ask():
        workers = Workers(threads=1, within=0.2)
        asked = time.monotonic()
        slow = asyncio.create_task(workers.run(go_on.wait, 30))
        queued = asyncio.create_task(workers.run(begun.append, "late"))
        outcomes = await asyncio.gather(slow, queued, return_exceptions=True)
        took = time.monotonic() - asked
        go_on.set()
        await workers.close()
        return outcomes, took

    outcomes, took = asyncio.run(ask())
    assert [type(outcome) for outcome in outcomes] == [TooSlow, TooSlow]
    assert took < 5
    assert begun == []


def test_what_it_returns_and_raises_comes_back():
    """A timeout of the function itself is its own, with its own words."""

    async def ask(function, *args):
        workers = Workers(within=5)
        try:
            return await workers.run(function, *args)
        finally:
            await workers.close()

    def fails():
        raise NeverHappened("It did not.", "Nothing was seen.", "Wait.")

    threads = threading.active_count()
    assert asyncio.run(ask(int, "7")) == 7
    with refused(NeverHappened, "It did not."):
        asyncio.run(ask(fails))
    with pytest.raises(ZeroDivisionError):
        asyncio.run(ask(lambda: 1 // 0))
    assert threading.active_count() == threads
