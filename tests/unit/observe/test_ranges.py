"""A limit is shared out fairly: the small partitions whole, the large ones alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlab.observe.ranges import Range, shares


@pytest.mark.parametrize(
    ("sizes", "limit", "expected"),
    [
        ([], 10, []),
        ([5, 5], 10, [5, 5]),
        ([5, 5], 100, [5, 5]),
        ([500, 10, 500], 300, [145, 10, 145]),
        ([0, 3, 0], 2, [0, 2, 0]),
        ([9, 9, 9], 10, [3, 3, 4]),
        ([9, 9, 9], 2, [0, 1, 1]),
    ],
)
def test_shares(sizes, limit, expected):
    assert shares(sizes, limit) == expected


@given(st.lists(st.integers(0, 10**6), max_size=20), st.integers(1, 10**6))
def test_all_is_given_and_nobody_gets_more_than_it_has(sizes, limit):
    """And who gets less than it has gets, up to one, as much as everybody who does."""
    given_out = shares(sizes, limit)
    assert sum(given_out) == min(limit, sum(sizes))
    assert all(0 <= got <= size for got, size in zip(given_out, sizes, strict=True))
    cut = [got for got, size in zip(given_out, sizes, strict=True) if got < size]
    assert not cut or max(cut) - min(cut) <= 1


def test_a_range_that_ends_before_it_starts_is_empty():
    """An end before the start of the log."""
    assert Range(("orders", 0), 10, 4).size == 0
    assert Range(("orders", 0), 4, 10).size == 6
