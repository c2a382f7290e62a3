"""Orders come in the order of time, 10,000 in four weeks, more of them in the evening."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from eventlab.orders.demand import BOOK, START, arrivals, opened
from eventlab.orders.dice import Dice


@pytest.mark.parametrize("book", [0, 3, 99_999])
def test_a_book_holds_its_orders_in_the_order_of_time(book):
    times = list(arrivals(Dice("times"), book))
    assert len(times) == BOOK == 10_000
    assert all(earlier <= later for earlier, later in pairwise(times))
    assert opened(book) <= times[0] <= times[-1] < opened(book + 1)


def test_the_first_book_is_june():
    assert opened(0) == START == datetime(2026, 6, 1, tzinfo=UTC)
    assert opened(1) == datetime(2026, 6, 29, tzinfo=UTC)


def test_hours_weekdays_and_days_differ():
    times = list(arrivals(Dice("times"), 0))
    hours = Counter(time.hour for time in times)
    weekdays = Counter(time.weekday() for time in times)
    mondays = Counter(time.date() for time in times if time.weekday() == 0)
    assert hours[18] > 10 * hours[3] > 0
    assert weekdays[6] > 1.3 * weekdays[5]
    assert len(set(mondays.values())) == 4
