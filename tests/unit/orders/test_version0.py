"""The article's minimal event is read too, by whoever can look its order up."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from eventlab.orders.cloudevents import Encoded, decode, encode
from eventlab.orders.domain import Item, Order, OrderStatus
from eventlab.orders.errors import EventValidationError, EventVersionError, UnknownEventType
from eventlab.orders.events import OrderCreated

ORDER = Order(
    *("O-1", "C-00042", datetime(2026, 6, 1, 8, 15, tzinfo=UTC), OrderStatus.DELIVERED),
    *((Item("GRUMPY-TEAPOT", 2, Decimal("39.90")),), "EUR"),
)


def record(**fields):
    return Encoded(b"", json.dumps(fields).encode(), [])


MINIMAL = record(event="ORDER_CREATED", orderId="O-1")
find = {"O-1": ORDER}.get


def test_the_minimal_event_becomes_one_of_version_1():
    """It says only which order: the rest is looked up, as it is now and not as it was then."""
    event = decode(MINIMAL, find_order=find)
    assert isinstance(event, OrderCreated)
    assert (event.order_id, event.customer_id, event.items) == ("O-1", "C-00042", ORDER.items)
    assert (event.time, event.version) == (ORDER.created, 1)
    assert decode(encode(event)) == event


def test_a_copy_of_a_minimal_event_is_known_as_a_copy():
    """It has no id, so its id is made of the order's: at-least-once delivery does no harm."""
    more = record(event="ORDER_CREATED", orderId="O-1", note="sent again")
    assert decode(MINIMAL, find) == decode(more, find)
    other = {"O-2": Order("O-2", "C-1", ORDER.created, OrderStatus.CREATED, ORDER.items)}.get
    event = decode(record(event="ORDER_CREATED", orderId="O-2"), other)
    assert event.event_id != decode(MINIMAL, find).event_id


@pytest.mark.parametrize("find_order", [None, find])
def test_without_its_order_it_is_a_version_that_cannot_be_read(find_order):
    """Nobody makes up items."""
    with pytest.raises(EventVersionError, match=r"O-9.*find_order"):
        decode(record(event="ORDER_CREATED", orderId="O-9"), find_order)


@pytest.mark.parametrize("order_id", [None, 7, "", "O 1", ["O-1"], "\u0000"])
def test_an_order_id_that_is_none_is_refused(order_id):
    """Nothing is looked up by it."""
    with pytest.raises(EventValidationError) as caught:
        decode(record(event="ORDER_CREATED", orderId=order_id), find)
    assert caught.value.field == "orderId"


@pytest.mark.parametrize("name", ["ORDER_SHIPPED", "order_created", "", None, 7, []])
def test_version_0_has_one_event(name):
    """All others came later, and came with everything."""
    with pytest.raises(UnknownEventType):
        decode(record(event=name, orderId="O-1"), find)
