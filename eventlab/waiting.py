"""Waiting for a condition with a deadline; the only way this project waits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TypeVar

from eventlab import environment
from eventlab.errors import InvalidSetting, NeverHappened, shown

T = TypeVar("T")


class Deadline:
    """A moment in the future that nested waits share, stretched by EVENTLAB_PATIENCE."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds * environment.patience()
        self._end = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end - time.monotonic())


def seconds(what: str, given: object, below: float = math.inf) -> float:
    """Return a number of seconds above zero; InvalidSetting for what is none, or too many."""
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 < given < below:
        return float(given)
    raise InvalidSetting(
        f"{what} cannot be this.", f"You gave {shown(given)}.", f"Use seconds, such as {what}=60."
    )


def wait_until(
    condition: Callable[[], T | None],
    within: float | Deadline,
    otherwise: str | Callable[[], str],
    every: float = 0.02,
) -> T:
    """Return the first true value of `condition`; NeverHappened at the deadline.

    `otherwise` says what was awaited; as a callable it is asked at the deadline, so that the
    message shows the state that was seen.
    """
    deadline = within if isinstance(within, Deadline) else Deadline(within)
    while not (result := condition()):
        if not deadline.left:
            what = otherwise if isinstance(otherwise, str) else otherwise()
            raise NeverHappened(
                what,
                f"It was awaited for {deadline.seconds:.0f} seconds.",
                "On a slow machine set EVENTLAB_PATIENCE=3; `eventlab logs` tells more.",
            )
        time.sleep(min(every, deadline.left))
    return result
