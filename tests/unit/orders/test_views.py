"""Read models say what the domain says, as exact as it."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal

import pytest

from eventlab.orders import (
    CustomerRegistered,
    OrderCreated,
    OrderStatus,
    PaymentStatus,
    fold,
    sample_events,
    views,
)
from eventlab.orders.inbox import Inbox
from tests.unit.orders.databases import postgresql, store, url  # noqa: F401 (fixtures)
from tests.unit.orders.inbox.arrivals import delivered


@pytest.fixture(scope="module")
def story():
    """What happened to some orders, with their customers before it."""
    events = list(sample_events(60))
    known = {event.customer_id: event.time for event in events if isinstance(event, OrderCreated)}
    return [*(CustomerRegistered(c, "Ada", "GB", time=t) for c, t in known.items()), *events]


@pytest.fixture
def sales(store, story):  # noqa: F811
    """The same orders as the domain has them; the store has what handlers wrote."""
    assert not Inbox(store, "views").take(delivered(*story)).dead
    lines = defaultdict(list)
    for event in story:
        if not isinstance(event, CustomerRegistered):
            lines[event.order_id].append(event)
    return [fold(events) for events in lines.values()]


def test_orders_and_their_statuses(store, sales):  # noqa: F811
    """A row for each, and a number for each status, those that nobody is in too."""
    frame = views.orders(store)
    assert sorted(frame.order_id) == sorted(sale.order.order_id for sale in sales)
    totals = dict(zip(frame.order_id, frame.total, strict=True))
    assert totals == {sale.order.order_id: sale.order.total_amount for sale in sales}
    counts = Counter(str(sale.order.status) for sale in sales)
    assert dict(views.statuses(store).itertuples(index=False)) == {
        str(status): counts[str(status)] for status in OrderStatus
    }


def test_revenue_by_day(store, sales):  # noqa: F811
    """To the cent: what came in less what went back."""
    wanted = defaultdict(Decimal)
    for payment in (payment for sale in sales for payment in sale.payments):
        sign = {PaymentStatus.CAPTURED: 1, PaymentStatus.REFUNDED: -1}.get(payment.status, 0)
        if sign:
            wanted[payment.created.date(), payment.currency] += sign * payment.amount
    frame = views.revenue(store)
    assert list(frame.columns) == ["day", "currency", "captured", "refunded", "revenue"]
    found = {(row.day, row.currency): row.revenue for row in frame.itertuples()}
    assert found == dict(wanted)


def test_an_empty_shop_has_views_too(store):  # noqa: F811
    """Of no orders, with all columns."""
    assert views.orders(store).empty
    assert views.statuses(store).orders.sum() == 0
    assert list(views.revenue(store).columns)[-1] == "revenue"
