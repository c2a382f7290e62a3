"""When the sample shop gets its orders: 10,000 in each book of four weeks, in UTC.

A shop has evenings and nights, Sundays and Saturdays, good days and bad ones. Here this is a row
of 672 hours with a weight each: order i of a book falls where i of 10,000 parts of the weight lie.
So the orders come in the order of time, one by one, and nobody has to sort or to keep them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from eventlab.orders.dice import Dice

START = datetime(2026, 6, 1, tzinfo=UTC)  # a Monday
BOOK = 10_000

_DAYS = 28
_WEEKDAYS = (112, 98, 94, 96, 92, 84, 130)  # people have time on Sunday
_HOURS = (
    *(8, 4, 2, 2, 4, 10, 24, 40, 52, 60, 66, 64),
    *(56, 54, 58, 64, 74, 88, 100, 96, 76, 48, 28, 15),  # UTC: the evening of Central Europe
)
_GRAIN = 1 << 20


def opened(book: int) -> datetime:
    """Return when a book starts; it is closed when the next one starts."""
    return START + timedelta(days=_DAYS * book)


def arrivals(dice: Dice, book: int) -> Iterator[datetime]:
    """Yield the times of the 10,000 orders of a book, the earliest first."""
    days = [_WEEKDAYS[day % 7] * dice.between(85, 115) for day in range(_DAYS)]
    weights = [day * hour for day in days for hour in _HOURS]
    edges = [0, *accumulate(weights)]
    for order in range(BOOK):
        at = (order * _GRAIN + dice.below(_GRAIN)) * edges[-1] // (BOOK * _GRAIN)
        hour = bisect_right(edges, at) - 1
        second = (at - edges[hour]) * 3600 // weights[hour]
        yield opened(book) + timedelta(hours=hour, seconds=second)
