"""Doing something periodically, such as publishing: a schedule that does not drift.

    prices = Schedule(60, lambda: publisher.publish(next(events)))
    with running(prices.run):                     # in a thread, until the end of the block
        ...

Tick n is at start + n * every, however long the action takes. Time is that of `time.monotonic`:
a clock that is set does not hasten or repeat a tick, and while Linux sleeps no tick is missed.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from threading import TIMEOUT_MAX
from threading import Event as Flag

from eventlab.errors import InvalidSetting, shown
from eventlab.waiting import seconds

log = logging.getLogger(__name__)


class Schedule:
    """Calls `action()` every so many seconds, beginning at once.

    An action that takes longer than `every` makes the schedule miss ticks. With missed="skip" they
    are left out, and the next one is at its time; with missed="catch up" each is done, one right
    after the other, until the schedule is where it should be.
    An action that raises is logged, counted in `failed`, and tried again at the next tick.
    `done` and `skipped` count the others.
    """

    def __init__(self, every: float, action: Callable[[], object], *, missed: str = "skip") -> None:
        self.every = seconds("every", every, below=TIMEOUT_MAX)
        if not callable(action):
            seen, fix = f"You gave {shown(action)}.", "Pass a function without arguments."
            raise InvalidSetting("The action of a schedule cannot be called.", seen, fix)
        if missed not in ("skip", "catch up"):
            fix = "Say 'skip' or 'catch up'."
            raise InvalidSetting("Missed ticks are unknown.", f"You gave {shown(missed)}.", fix)
        self._action, self._catches_up = action, missed == "catch up"
        self.done = self.failed = self.skipped = 0

    def run(self, stop: Flag) -> None:
        """Act at every tick until `stop` is set; an action that has begun is waited for."""
        last = -1
        for tick in ticks(self.every, self._catches_up, time.monotonic, stop.wait):
            self.skipped += tick - last - 1
            last = tick
            self._act()

    def _act(self) -> None:
        try:
            self._action()
            self.done += 1
        except Exception:
            self.failed += 1
            log.exception("The action of a schedule failed; it is tried again in %g s", self.every)


def ticks(
    every: float,
    catches_up: bool,
    now: Callable[[], float],
    wait: Callable[[float], bool],
) -> Iterator[int]:
    """Give the number of each tick when it is due, from 0 on, until `wait(seconds)` says True."""
    start, tick = now(), 0
    while not wait(max(0.0, start + tick * every - now())):
        yield tick
        due = 0 if catches_up else math.ceil((now() - start) / every)
        tick = max(tick + 1, due)
