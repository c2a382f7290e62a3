"""Random draws that are the same on every Python and every system.

Of the whole `random` module only `random()` is promised to keep its sequence from one Python to
the next, so each draw here is one call of it and integers from there on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """One stream of draws. Streams of different names have nothing to do with each other."""

    def __init__(self, name: str) -> None:
        self._random = Random(name).random

    def below(self, limit: int) -> int:
        """Return a whole number from 0 to `limit - 1`."""
        return int(self._random() * limit)

    def between(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """Return True in so many of a hundred cases."""
        return self.below(100) < percent

    def one_of(self, choices: Sequence[T]) -> T:
        """Return one of the choices; one that is in there twice comes twice as often."""
        return choices[self.below(len(choices))]

    def rank(self, tail: Sequence[int]) -> int:
        """Return a rank of a `heavy_tail`, 0 for the most popular."""
        return bisect_right(tail, self.below(tail[-1]))


def heavy_tail(size: int, softness: int) -> tuple[int, ...]:
    """Return the running sum of Zipf's weights 1/(rank + softness), in whole millionths."""
    return tuple(accumulate(1_000_000 // (rank + softness) for rank in range(size)))
