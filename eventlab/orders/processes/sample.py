"""What the sample shop lets happen, each event with the topic that it belongs to.

    for event in happenings(100):             # the customers, the catalogue, then 100 orders
        publisher.publish_encoded(event, encode(event), topic_of(event))
    recorded(100)                             # the same of data/, or of files like these

They are the same for the same seed, with the same ids: published twice, they happen once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain, islice

from eventlab import observe
from eventlab.observe.client import Target
from eventlab.orders import tables
from eventlab.orders.asyncapi import TOPICS
from eventlab.orders.cloudevents import encode
from eventlab.orders.demand import BOOK
from eventlab.orders.domain import Customer, Product
from eventlab.orders.events import CustomerRegistered, Event, ProductListed
from eventlab.orders.files import Folder, read, read_sales
from eventlab.orders.publisher import OrderPublisher
from eventlab.orders.sample import MOST_ORDERS, SEED, sample_events, sample_shop
from eventlab.orders.story import by_time


def topic_of(event: Event) -> str:
    """Return the topic of the shop that an event belongs to."""
    return TOPICS[event.entity]


def beginnings(seed: int = SEED) -> Iterator[Event]:
    """Yield what was there before the first order: who the customers are, what is sold."""
    shop = sample_shop(0, seed)
    return _beginnings(shop.customers, shop.products)


def happenings(n: int, seed: int = SEED) -> Iterator[Event]:
    """Yield the beginnings, then all that happened to the first n orders, by time."""
    return chain(beginnings(seed), sample_events(n, seed))


def recorded(n: int, folder: Folder = None) -> Iterator[Event]:
    """Yield the beginnings and all that happened to the first n orders, from files as in data/."""
    known = _beginnings(read(tables.CUSTOMERS, folder), read(tables.PRODUCTS, folder))
    return chain(known, by_time(islice(read_sales(folder), n)))


def without_end(kafka: Target, seed: int = SEED) -> Iterator[Event]:
    """Yield what happens to ever more orders, none of which is in the topic `orders` already.

    Each order has a record at least: the topic has no more orders than records were written.
    """
    written = int(observe.partitions(kafka, TOPICS["order_id"])["log_end_offset"].sum())
    book = -(-written // BOOK)
    return sample_events(MOST_ORDERS - book * BOOK, seed, book=book)


class Sending:
    """Publishes events one by one; one that could not be sent is sent again, and not passed by.

    Without it those behind it would be of an order that nobody knows.
    """

    def __init__(self, publisher: OrderPublisher, events: Iterator[Event]) -> None:
        self._publisher, self._events = publisher, events
        self._next = next(events, None)
        self.sent = 0

    def step(self, within: float | None = None) -> Event | None:
        """Send one, and wait up to `within` seconds for Kafka to have it; None at the end."""
        event = self._next
        if event is not None:
            sent = self._publisher.publish_encoded(event, encode(event), topic_of(event))
            if within is not None:
                sent.get(within)
            self._next = next(self._events, None)
            self.sent += 1
        return event


def _beginnings(customers: Iterable[Customer], products: Iterable[Product]) -> Iterator[Event]:
    known = list(customers)
    yield from map(_registered, known)
    opened = min(customer.since for customer in known)
    for product in products:
        yield _listed(product, opened)


def _registered(customer: Customer) -> Event:
    return CustomerRegistered(
        *(customer.customer_id, customer.name, customer.country),
        event_id=f"{customer.customer_id}.registered",
        time=customer.since,
    )


def _listed(product: Product, time: datetime) -> Event:
    return ProductListed(
        *(product.product_id, product.name, product.category, product.unit_price),
        event_id=f"{product.product_id}.listed",
        time=time,
    )
