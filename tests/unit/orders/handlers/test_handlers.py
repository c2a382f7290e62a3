"""What handlers write is what the domain says: every event, in any order, on both databases."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from eventlab.orders.domain import Item, OrderStatus, ShippedItem
from eventlab.orders.errors import DomainError
from eventlab.orders.events import (
    CustomerRegistered,
    OrderCancelled,
    OrderCreated,
    OrderPaid,
    OrderRefunded,
    PaymentFailed,
    ProductListed,
    ShipmentDelivered,
    ShipmentSent,
)
from eventlab.orders.fold import apply
from eventlab.orders.handlers import handle
from eventlab.orders.handlers.errors import NotYet
from eventlab.orders.store.sales import find_sale
from eventlab.orders.store.schema import customers, products
from tests.unit.refusals import refused

BEGUN = datetime(2026, 6, 1, tzinfo=UTC)
ITEMS = (Item("CUP", 2, Decimal("5.00")), Item("POT", 1, Decimal("9.90")))
TOTAL = Decimal("19.90")
CUSTOMER = CustomerRegistered("C-1", "Ada", "GB", time=BEGUN)


def possible_events(number):
    """Return events of each type that an order may have, whether they can follow or not."""
    time = BEGUN + timedelta(hours=number)
    once = {"time": time}
    parcels = [
        (ShippedItem("CUP", 2), ShippedItem("POT", 1)),
        (ShippedItem("CUP", 1),),
        (ShippedItem("CUP", 1), ShippedItem("POT", 1)),
        (ShippedItem("CUP", 1), ShippedItem("CUP", 1)),
        (ShippedItem("PAN", 1),),
    ]
    return [
        OrderCreated("O-1", "C-1", ITEMS, **once),
        *(
            kind("O-1", f"P-{number}", amount, "card", **once)
            for kind in (PaymentFailed, OrderPaid, OrderRefunded)
            for amount in (TOTAL, Decimal("1.00"))
        ),
        *(
            ShipmentSent("O-1", f"S-{parcel}", "Snail", inside, **once)
            for parcel in (1, 2)
            for inside in parcels
        ),
        *(ShipmentDelivered("O-1", f"S-{parcel}", **once) for parcel in (1, 2)),
        OrderCancelled("O-1", "Nobody paid.", **once),
    ]


def some_event(chosen, sale, number):
    """Return one of them, more often one that can follow."""
    every = possible_events(number)
    chosen.shuffle(every)
    fits = (event for event in every if attempt(lambda event=event: apply(sale, event))[0])
    return next(fits, every[0]) if chosen.random() < 0.6 else every[0]


def attempt(act):
    """Return what it gives, and the type of what it refused with."""
    try:
        return act(), None
    except DomainError as error:
        return None, type(error)


def test_handlers_and_the_domain_never_disagree(store):
    """Random steps of 40 orders: both take the same and refuse the same, with one outcome."""
    chosen, taken = random.Random(7), set()
    for _ in range(40):
        sale = None
        with store.transaction() as db:
            handle(CUSTOMER, db)
            for number in range(20):
                event = some_event(chosen, sale, number)
                wanted, refusal = attempt(lambda: apply(sale, event))  # noqa: B023
                _, refused_with = attempt(lambda: within_savepoint(db, event))  # noqa: B023
                assert (refused_with is None) == (refusal is None), (event, sale)
                sale = wanted or sale
                assert find_sale(db, "O-1") == sale
                if refusal is None:
                    taken.add((type(event), sale.order.status))
            db.rollback()
    assert {status for _, status in taken} == set(OrderStatus)
    assert len({kind for kind, _ in taken}) == 7


def within_savepoint(db, event):
    with db.begin_nested():
        handle(event, db)


def test_an_order_of_an_unknown_customer_waits(store):
    """Their registration may be on its way in another partition: not a DomainError."""
    with refused(NotYet, "C-1", "O-1"), store.transaction() as db:
        handle(OrderCreated("O-1", "C-1", ITEMS), db)
    with store.transaction() as db:
        handle(CUSTOMER, db)
        handle(OrderCreated("O-1", "C-1", ITEMS), db)
        assert find_sale(db, "O-1").order.total_amount == TOTAL


@pytest.mark.parametrize(
    ("events", "table", "row"),
    [
        (
            [CUSTOMER, CustomerRegistered("C-1", "Ada L.", "FR", time=BEGUN + timedelta(days=1))],
            customers,
            ("C-1", "Ada L.", "FR", BEGUN),
        ),
        (
            [
                ProductListed("CUP", "A cup", "kitchen", Decimal("5.00")),
                ProductListed("CUP", "A cup", "sale", Decimal("4.00")),
            ],
            products,
            ("CUP", "A cup", "sale", Decimal("4.00")),
        ),
    ],
)
def test_the_newest_event_says_how_it_is(store, events, table, row):
    """A customer moves, a price falls; when they first came stays."""
    with store.transaction() as db:
        for event in events:
            handle(event, db)
        assert tuple(db.execute(select(table)).one()) == row
