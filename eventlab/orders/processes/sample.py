"""What the sample shop lets happen, each event with the topic that it belongs to.

    for event in happenings(100):             # the customers, the catalogue, then 100 orders
        publisher.publish_encoded(event, encode(event), topic_of(event))

They are the same for the same seed, with the same ids: published twice, they happen once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain

from eventlab.orders.asyncapi import TOPICS
from eventlab.orders.domain import Customer, Product
from eventlab.orders.events import CustomerRegistered, Event, ProductListed
from eventlab.orders.sample import SEED, sample_events, sample_shop


def topic_of(event: Event) -> str:
    """Return the topic of the shop that an event belongs to."""
    return TOPICS[event.entity]


def beginnings(seed: int = SEED) -> Iterator[Event]:
    """Yield what was there before the first order: who the customers are, what is sold."""
    shop = sample_shop(0, seed)
    for customer in shop.customers:
        yield _registered(customer)
    opened = min(customer.since for customer in shop.customers)
    for product in shop.products:
        yield _listed(product, opened)


def happenings(n: int, seed: int = SEED) -> Iterator[Event]:
    """Yield the beginnings, then all that happened to the first n orders, by time."""
    return chain(beginnings(seed), sample_events(n, seed))


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
