"""The events of an order add up to the order, whichever part of its life they tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from eventlab.orders.demand import START
from eventlab.orders.dice import Dice
from eventlab.orders.domain import Item, OrderStatus, PaymentStatus, ShippedItem
from eventlab.orders.errors import (
    DomainError,
    EventConflict,
    EventValidationError,
    StepNotAllowed,
)
from eventlab.orders.events import (
    CustomerRegistered,
    OrderCancelled,
    OrderCreated,
    OrderPaid,
    OrderRefunded,
    PaymentFailed,
    ShipmentDelivered,
    ShipmentSent,
)
from eventlab.orders.fold import apply, fold
from eventlab.orders.life import a_sale
from eventlab.orders.sample import sample_events, sample_shop
from eventlab.orders.story import events_of

NOW = datetime(2026, 6, 1, 8, 15, tzinfo=UTC)
POTS = Item("GRUMPY-TEAPOT", 2, Decimal("39.90"))
RUG = Item("SHY-RUG", 1, Decimal("109.60"))
SUM = {"amount": Decimal("189.40"), "method": "card"}

CREATED = OrderCreated("O-1", "C-00042", (POTS, RUG), time=NOW)
FAILED = CREATED.then(PaymentFailed, "O-1", "P-1", **SUM, time=NOW)
PAID = CREATED.then(OrderPaid, "O-1", "P-2", **SUM, time=NOW)
CANCELLED = CREATED.then(OrderCancelled, "O-1", "Changed their mind.", time=NOW)
REFUNDED = PAID.then(OrderRefunded, "O-1", "P-3", **SUM, time=NOW)


def sent(number, *items):
    parcel = tuple(ShippedItem(item.product_id, item.quantity) for item in items)
    return PAID.then(ShipmentSent, "O-1", f"S-{number}", "Pigeon Post", parcel, time=NOW)


def delivered(number):
    return PAID.then(ShipmentDelivered, "O-1", f"S-{number}", time=NOW + timedelta(days=1))


ALL, ONE, TWO = sent(1, POTS, RUG), sent(1, POTS), sent(2, RUG)


@pytest.fixture(scope="module")
def sales():
    """Return sales of every age, so in every state there is."""
    dice, ages = Dice("fold"), [timedelta(days) for days in (0, 1, 3, 7, 60)]
    found = [a_sale(dice, n, START, START + ages[n % 5]) for n in range(1, 1_501)]
    assert {sale.order.status for sale in found} == set(OrderStatus)
    return found


def test_the_events_of_a_sale_bring_it_back(sales):
    """Every order of the sample shop, with its payments, shipments and cancellation."""
    for sale in sales:
        assert fold(events_of(sale)) == sale


def test_every_beginning_of_a_story_is_a_story(sales):
    """A reader may stop anywhere; the status moves along the allowed steps and never back."""
    for sale in sales[:200]:
        stages = [None]
        for event in events_of(sale):
            stages.append(apply(stages[-1], event))
        for before, after in pairwise(stages[1:]):
            was, now = before.order.status, after.order.status
            assert was is now or was.may_become(now)
        assert stages[-1] == sale


def test_copies_change_nothing(sales):
    """At least once is enough: each event twice, at once or all over again."""
    for sale in sales[:200]:
        events = events_of(sale)
        assert fold(events + events) == fold([e for e in events for _ in "12"]) == sale


def test_sample_events_come_by_time_and_tell_whole_stories():
    """One stream of all orders, as a topic would have it; the ids are unique and can be read."""
    events, shop = list(sample_events(500, 7)), sample_shop(500, 7)
    assert all(a.time <= b.time for a, b in pairwise(events))
    assert len({event.event_id for event in events}) == len(events)
    stories = {}
    for event in events:
        stories.setdefault(event.key, []).append(event)
    told = [fold(stories[order.order_id]) for order in shop.orders]
    assert tuple(sale.order for sale in told) == shop.orders
    assert tuple(p for sale in told for p in sale.payments) == shop.payments
    assert tuple(s for sale in told for s in sale.shipments) == shop.shipments
    assert events[0].event_id == "O-0000001.created"


def test_every_sample_event_has_a_cause_that_came_before():
    """And all events of one order have one correlation: the id of its beginning."""
    seen = set()
    for event in sample_events(500):
        assert event.correlation_id == f"{event.key}.created"
        assert (event.causation_id is None) == isinstance(event, OrderCreated)
        assert event.causation_id is None or event.causation_id in seen
        seen.add(event.event_id)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([CREATED], "created"),
        ([CREATED, FAILED], "created"),
        ([CREATED, FAILED, PAID], "paid"),
        ([CREATED, CANCELLED], "cancelled"),
        ([CREATED, PAID, REFUNDED], "refunded"),
        ([CREATED, PAID, ALL], "shipped"),
        ([CREATED, PAID, ALL, delivered(1)], "delivered"),
        ([CREATED, PAID, ONE], "partly_shipped"),
        ([CREATED, PAID, ONE, delivered(1)], "partly_shipped"),
        ([CREATED, PAID, ONE, delivered(1), TWO], "shipped"),
        ([CREATED, PAID, ONE, TWO, delivered(2)], "shipped"),
        ([CREATED, PAID, ONE, TWO, delivered(2), delivered(1)], "delivered"),
        ([CREATED, PAID, ONE, TWO, delivered(2), delivered(1), REFUNDED], "refunded"),
    ],
)
def test_an_order_is_what_its_events_say(events, status):
    """Shipped means all of it; delivered means that all of it arrived."""
    assert fold(events).order.status == status


def test_one_product_may_be_sent_in_three_parcels():
    """Quantities count, not lines; in parts may be more than two."""
    one = ShippedItem("GRUMPY-TEAPOT", 1)
    parcels = [replace(sent(n, RUG), items=(one,), event_id=f"E-{n}") for n in (1, 2)]
    story = [CREATED, PAID, *parcels]
    assert fold(story).order.status is OrderStatus.PARTLY_SHIPPED
    assert fold([*story, sent(3, RUG)]).order.status is OrderStatus.SHIPPED


def test_all_of_it_is_kept():
    """The sale has the payments and shipments that led there, with their times."""
    sale = fold([CREATED, FAILED, PAID, ONE, delivered(1)])
    assert [p.status for p in sale.payments] == [PaymentStatus.FAILED, PaymentStatus.CAPTURED]
    assert [s.delivered for s in sale.shipments] == [NOW + timedelta(days=1)]
    assert sale.order.total_amount == Decimal("189.40")
    assert fold([CREATED, CANCELLED]).cancelled == NOW


NOT_ALLOWED = [
    ([], "There is no event"),
    ([PAID], "no order"),
    ([CANCELLED, CREATED], "no order"),
    ([CREATED, replace(CREATED, event_id="E-2")], "order O-1"),
    ([CREATED, replace(PAID, order_id="O-2")], "OrderPaid of O-2"),
    ([CREATED, CustomerRegistered("O-1", "Zoë", "DE")], "CustomerRegistered"),
    ([CREATED, ALL], "is created"),
    ([CREATED, REFUNDED], "From created"),
    ([CREATED, delivered(1)], "not on the road"),
    ([CREATED, PAID, CANCELLED], "From paid"),
    ([CREATED, PAID, FAILED], "is paid"),
    ([CREATED, PAID, replace(PAID, event_id="E-2")], "From paid"),
    ([CREATED, PAID, ALL, delivered(2)], "S-2"),
    ([CREATED, PAID, ALL, delivered(1), replace(delivered(1), event_id="E-2")], "not on the road"),
    ([CREATED, PAID, ONE, replace(TWO, shipment_id="S-1")], "sent before"),
    ([CREATED, PAID, ALL, REFUNDED], "From shipped"),
    ([CREATED, CANCELLED, PAID], "nothing"),
]


@pytest.mark.parametrize(("events", "says"), NOT_ALLOWED, ids=range(len(NOT_ALLOWED)))
def test_an_event_that_does_not_follow_is_refused(events, says):
    """Too early, too late, of something else: whoever handles it decides what to do."""
    with pytest.raises(StepNotAllowed, match=says) as caught:
        fold(events)
    assert len(caught.value.args) == 3


@pytest.mark.parametrize(
    ("events", "field"),
    [
        ([CREATED, replace(PAID, amount=Decimal("189.39"))], "amount"),
        ([CREATED, replace(PAID, currency="USD")], "amount"),
        ([CREATED, PAID, replace(REFUNDED, amount=Decimal("1.00"))], "amount"),
        ([CREATED, PAID, sent(1, POTS, RUG, RUG)], "items"),
        ([CREATED, PAID, ONE, sent(2, POTS)], "items"),
        ([CREATED, PAID, sent(1, Item("TENT", 1, Decimal("1.00")))], "items"),
        ([CREATED, PAID, ALL, replace(delivered(1), time=NOW - timedelta(1))], "delivered"),
    ],
)
def test_an_event_that_contradicts_its_order_is_refused(events, field):
    """The right money and no more parcels than were ordered."""
    with pytest.raises(EventValidationError) as caught:
        fold(events)
    assert caught.value.field == field


def test_two_events_with_one_id_are_a_conflict():
    """A copy has to be the same in every field; otherwise one of the two is lost."""
    other = replace(PAID, method="paypal")
    with pytest.raises(EventConflict, match=PAID.event_id):
        fold([CREATED, PAID, other])
    assert fold([CREATED, PAID, PAID]).order.status is OrderStatus.PAID
    with pytest.raises(StepNotAllowed):  # of another source it is another event
        fold([CREATED, PAID, replace(PAID, source="/bank")])


def test_a_refused_event_changes_nothing():
    """The sale is a value: the one before is still there, and goes on."""
    sale = fold([CREATED, PAID])
    with pytest.raises(DomainError):
        apply(sale, CANCELLED)
    assert apply(sale, ALL).order.status is OrderStatus.SHIPPED
