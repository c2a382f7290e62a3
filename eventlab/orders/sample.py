"""A shop of any size, made up: the same one for the same seed, on every machine.

    orders = sample_orders(1_000)         # an iterator: a million costs no more memory than one
    events = sample_events(1_000)         # all that happened to them, as it happened
    shop = sample_shop(1_000)             # the same orders, with all that belongs to them
    shop.customers, shop.products, shop.orders, shop.payments, shop.shipments

The shop keeps books of 10,000 orders, one every four weeks, and each order is told as it stood
when its book was closed. So `sample_orders(10)` are the first ten of `sample_orders(1_000_000)`,
and the bundled CSV files are the first book of seed 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count, islice

from eventlab.orders.catalogue import PRODUCTS, customers
from eventlab.orders.demand import BOOK, arrivals, opened
from eventlab.orders.dice import Dice
from eventlab.orders.domain import Customer, Order, Payment, Product, Shipment
from eventlab.orders.events import Event
from eventlab.orders.life import a_sale
from eventlab.orders.sale import Sale
from eventlab.orders.story import by_time
from eventlab.orders.values import check_count

SEED = 7
MOST_ORDERS = 1_000_000_000  # the calendar of Python ends a few books later
MOST_SEED = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Shop:
    """All that a sample shop knows; nothing in it happened at `closed` or later."""

    customers: tuple[Customer, ...]
    products: tuple[Product, ...]
    orders: tuple[Order, ...]
    payments: tuple[Payment, ...]
    shipments: tuple[Shipment, ...]
    closed: datetime


def sample_orders(n: int, seed: int = SEED) -> Iterator[Order]:
    """Return an iterator over the first n orders of a shop, by the time they were created."""
    return (sale.order for sale in _sales(n, seed))


def sample_shop(n: int, seed: int = SEED) -> Shop:
    """Return the same orders with their customers, products, payments and shipments."""
    sales = tuple(_sales(n, seed))
    return Shop(
        customers=tuple(customers(seed)),
        products=PRODUCTS,
        orders=tuple(sale.order for sale in sales),
        payments=tuple(payment for sale in sales for payment in sale.payments),
        shipments=tuple(shipment for sale in sales for shipment in sale.shipments),
        closed=opened(max(n - 1, 0) // BOOK + 1),
    )


def sample_events(n: int, seed: int = SEED, *, book: int = 0) -> Iterator[Event]:
    """Return an iterator over all that happened to the first n orders of a book on, by time.

    It keeps what is to come of the orders of one book: nothing happens to them after it was closed.
    """
    return by_time(_sales(n, seed, book))


def _sales(n: int, seed: int, book: int = 0) -> Iterator[Sale]:
    # here, not in a generator: nobody should wait for the error
    check_count("seed", seed, MOST_SEED)
    check_count("book", book, MOST_ORDERS // BOOK)
    check_count("n", n, MOST_ORDERS - book * BOOK)
    return islice(_all_sales(seed, book), n)


def _all_sales(seed: int, first: int) -> Iterator[Sale]:
    for book in count(first):
        dice = Dice(f"{seed} book {book}")
        times = arrivals(Dice(f"{seed} book {book} times"), book)
        for number, created in enumerate(times, start=book * BOOK + 1):
            yield a_sale(dice, number, created, until=opened(book + 1))
