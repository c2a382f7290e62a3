"""A sample shop is the same everywhere, as large as one wants, and never contradicts itself."""

from __future__ import annotations

import hashlib
import tracemalloc
from itertools import islice

import pytest

from eventlab.orders import sample_orders
from eventlab.orders.errors import DomainError
from eventlab.orders.sample import sample_shop


def digest(orders):
    return hashlib.sha256(b"\n".join(order.to_json() for order in orders)).hexdigest()


@pytest.mark.parametrize(
    ("n", "seed", "expected"),
    [
        (100, 7, "d8fe815a76bde2f3201c154a63d0ecb726af7f39c6e35d5c6b955629ad0b79df"),
        (100, 8, "7f70d707de2814a608eaf2b4debe4d5a3c7ec1f2e4cda89f6d357a4d9f3c9c98"),
        (1_000, 7, "bc2b0199cb37f056601d454d395d367c8ccbdb50b56a1a7df709cd52c93b742a"),
    ],
)
def test_the_orders_of_a_seed_never_change(n, seed, expected):
    assert digest(sample_orders(n, seed=seed)) == expected


@pytest.fixture(scope="module")
def around_the_second_book():
    return list(islice(sample_orders(10_100), 9_950, None))


def test_the_second_book_never_changes_either(around_the_second_book):
    assert digest(around_the_second_book[50:]) == (
        "6f44f588d6f18d9c3d054d00de4f420d679085064c6baf314a5775e2f461fa73"
    )


def test_a_small_sample_is_the_beginning_of_a_large_one():
    assert list(sample_orders(10)) == list(islice(sample_orders(20_000), 10))
    assert list(sample_orders(10)) == list(sample_orders(10, seed=7))


def test_the_shop_has_the_same_orders():
    assert sample_shop(300, seed=3).orders == tuple(sample_orders(300, seed=3))


def test_order_ids_count_on_and_times_never_go_back(around_the_second_book):
    orders = around_the_second_book
    assert [o.order_id for o in orders] == [f"O-{n:07d}" for n in range(9_951, 10_101)]
    assert sorted(orders, key=lambda o: o.created) == orders


def test_a_billion_orders_cost_nothing_until_they_are_read():
    tracemalloc.start()
    try:
        orders = sample_orders(1_000_000_000)
        assert len(list(islice(orders, 1_000))) == 1_000
        assert tracemalloc.get_traced_memory()[0] < 2_000_000
    finally:
        tracemalloc.stop()


def test_none_is_a_number_of_orders_too():
    assert list(sample_orders(0)) == []
    assert sample_shop(0).orders == ()


@pytest.mark.parametrize("wrong", [-1, 1.0, "10", True, None, 10**10, float("nan")])
def test_a_wrong_number_is_refused_by_the_call_itself(wrong):
    with pytest.raises(DomainError, match=r"^n cannot be .* Use a whole number from 0 to"):
        sample_orders(wrong)
    with pytest.raises(DomainError, match=r"^seed cannot be .* Use a whole number from 0 to"):
        sample_orders(1, seed=wrong)
