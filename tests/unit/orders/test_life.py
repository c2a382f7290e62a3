"""What an order says of itself is what its payments and shipments say, at any moment."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import cache
from itertools import pairwise

import pytest

from eventlab.orders.demand import START
from eventlab.orders.dice import Dice
from eventlab.orders.domain import OrderStatus, PaymentStatus
from eventlab.orders.life import a_sale

CAPTURED, FAILED, REFUNDED = PaymentStatus.CAPTURED, PaymentStatus.FAILED, PaymentStatus.REFUNDED
WEEK = timedelta(days=7)


@cache
def sales(after=timedelta(days=60), count=1_000):
    dice = Dice("life")
    return [a_sale(dice, number, START, START + after) for number in range(1, count + 1)]


PARCELS = {  # how much was sent, and whether all of that has arrived
    OrderStatus.CREATED: [("none", True)],
    OrderStatus.CANCELLED: [("none", True)],
    OrderStatus.PAID: [("none", True)],
    OrderStatus.PARTLY_SHIPPED: [("some", False), ("some", True)],
    OrderStatus.SHIPPED: [("all", False)],
    OrderStatus.DELIVERED: [("all", True)],
    OrderStatus.REFUNDED: [("none", True), ("all", True)],
}
MOMENTS = [timedelta(minutes=1), timedelta(days=1), WEEK, timedelta(days=60)]


@pytest.mark.parametrize("after", MOMENTS)
def test_nothing_happens_before_the_order_or_after_the_moment(after):
    for sale in sales(after):
        times = [sale.order.created, *(payment.created for payment in sale.payments)]
        assert all(earlier < later for earlier, later in pairwise(times))
        for shipment in sale.shipments:
            times += [t for t in (shipment.shipped, shipment.delivered) if t]
        assert max(times) < START + after


@pytest.mark.parametrize("after", MOMENTS)
def test_parcels_leave_after_the_money_came_and_return_before_it_goes(after):
    for sale in sales(after):
        paid = [p.created for p in sale.payments if p.status is CAPTURED]
        back = [p.created for p in sale.payments if p.status is REFUNDED]
        for shipment in sale.shipments:
            assert paid[0] < shipment.shipped
            assert not back or paid[0] < shipment.shipped < shipment.delivered < back[0]


@pytest.mark.parametrize("after", MOMENTS)
def test_the_payments_fit_the_status(after):
    unpaid = (OrderStatus.CREATED, OrderStatus.CANCELLED)
    for sale in sales(after):
        said = [p.status for p in sale.payments if p.status is not FAILED]
        money = [] if sale.order.status in unpaid else [CAPTURED]
        assert said == money + [REFUNDED] * (sale.order.status is OrderStatus.REFUNDED)
        assert all(p.amount == sale.order.total_amount for p in sale.payments)
        assert {p.order_id for p in sale.payments} <= {sale.order.order_id}


@pytest.mark.parametrize("after", MOMENTS)
def test_the_parcels_fit_the_status(after):
    for sale in sales(after):
        ordered = Counter({item.product_id: item.quantity for item in sale.order.items})
        sent = Counter({item.product_id: item.quantity for s in sale.shipments for item in s.items})
        how_much = "all" if sent == ordered else "some" if sent else "none"
        arrived = all(shipment.delivered for shipment in sale.shipments)
        assert sent <= ordered
        assert (how_much, arrived) in PARCELS[sale.order.status]


def test_time_only_adds_to_what_happened():
    for earlier, later in zip(sales(WEEK), sales(), strict=True):
        assert later.payments[: len(earlier.payments)] == earlier.payments
        assert [s.shipment_id for s in earlier.shipments] == [
            s.shipment_id for s in later.shipments[: len(earlier.shipments)]
        ]


def test_every_shape_of_trade_occurs():
    final = sales()
    late = [
        sale
        for sale in final
        if any(p.status is CAPTURED and p.created - START > WEEK for p in sale.payments)
    ]
    retried = [s for s in final if [p.status for p in s.payments][:2] == [FAILED, CAPTURED]]
    in_parts = [sale for sale in final if len(sale.shipments) == 2]
    soon = Counter(sale.order.status for sale in sales(timedelta(days=3)))
    assert {sale.order.status for sale in final} == {
        OrderStatus.DELIVERED,
        OrderStatus.CANCELLED,
        OrderStatus.REFUNDED,
    }
    assert set(soon) | {OrderStatus.REFUNDED} == set(OrderStatus)
    assert len(late) > 10
    assert len(retried) > 50
    assert len(in_parts) > 50
