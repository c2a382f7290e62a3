"""Events as they are delivered: numbered records of one partition."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from eventlab.orders import CustomerRegistered, Item, OrderCreated, OrderPaid, encode
from eventlab.orders.inbox import Arrival

BEGUN = datetime(2026, 6, 1, tzinfo=UTC)
CUSTOMER = CustomerRegistered("C-1", "Ada", "GB", time=BEGUN)
ITEMS = (Item("CUP", 2, Decimal("5.00")),)


class Record(NamedTuple):
    """What an inbox needs of a record."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def created(order_id="O-1", **more):
    return OrderCreated(order_id, "C-1", ITEMS, **{"time": BEGUN, **more})


def paid(order_id="O-1", **more):
    payment = f"P-{order_id}"
    return OrderPaid(order_id, payment, Decimal("10.00"), "card", **{"time": BEGUN, **more})


def delivered(*events, start=0, partition=0, topic="orders", mode="structured"):
    """Return the arrivals of events, at offsets from `start` on."""
    return [
        Arrival(Record(topic, partition, offset, *encode(event, mode)), event)
        for offset, event in enumerate(events, start)
    ]
