"""An event is a fact: it has all that it needs when it is made, and nothing changes it after."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from eventlab.orders import events
from eventlab.orders.domain import Item, ShippedItem
from eventlab.orders.errors import EventValidationError
from eventlab.orders.events import (
    EVENTS,
    CustomerRegistered,
    Event,
    OrderCancelled,
    OrderCreated,
    OrderPaid,
    PaymentFailed,
    ShipmentSent,
)

TEAPOTS = Item("GRUMPY-TEAPOT", 2, Decimal("39.90"))
CREATED = OrderCreated("O-1", "C-00042", (TEAPOTS,))
PAID = {"payment_id": "P-1", "amount": Decimal("79.80"), "method": "card"}


def test_every_event_has_a_type_of_its_own():
    """What a subscriber filters by: a new event that is not in the table would never be read."""
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type)]
    ours = [kind for kind in kinds if issubclass(kind, Event) and kind is not Event]
    assert list(EVENTS.values()) == sorted(ours, key=list(EVENTS.values()).index)
    assert [kind.type for kind in EVENTS.values()] == list(EVENTS)
    assert {name.split(".")[-1] for name in EVENTS} == {
        *("created", "failed", "paid", "sent", "delivered", "cancelled", "refunded"),
        *("registered", "listed"),
    }


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
def test_every_event_has_the_id_of_what_it_happened_to(kind):
    """The key keeps one story in one partition, so it has to be there, and in the data."""
    assert kind.entity in [field.name for field in fields(kind) if not field.kw_only]
    assert kind.version >= 1
    assert kind.__doc__


def test_an_event_is_complete_when_it_is_made():
    """Who makes it need not think of ids and times; two events are never the same one."""
    before = datetime.now(UTC)
    again = OrderCreated("O-1", "C-00042", (TEAPOTS,))
    assert before <= again.time <= datetime.now(UTC)
    assert CREATED.event_id != again.event_id
    assert (CREATED.correlation_id, CREATED.causation_id) == (CREATED.event_id, None)
    assert (CREATED.key, CREATED.currency, CREATED.source) == ("O-1", "EUR", "/shop")
    assert CustomerRegistered("C-1", "Zoë", "DE").key == "C-1"


def test_an_event_cannot_be_changed():
    """What happened has happened."""
    with pytest.raises(FrozenInstanceError):
        CREATED.order_id = "O-2"
    with pytest.raises((AttributeError, TypeError)):  # Python 3.11 raises the second for slots
        CREATED.note = "new"


def test_what_follows_knows_its_cause():
    """The whole flow has one correlation, each step names the one before."""
    failed = CREATED.then(PaymentFailed, "O-1", **PAID)
    paid = failed.then(OrderPaid, "O-1", **{**PAID, "payment_id": "P-2"})
    assert paid.correlation_id == failed.correlation_id == CREATED.event_id
    assert [failed.causation_id, paid.causation_id] == [CREATED.event_id, failed.event_id]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"order_id": ""}, "order_id"),
        ({"order_id": "O 1"}, "order_id"),
        ({"order_id": "\ud800"}, "order_id"),
        ({"order_id": 1}, "order_id"),
        ({"order_id": b"O-1"}, "order_id"),
        ({"customer_id": None}, "customer_id"),
        ({"items": ()}, "items"),
        ({"items": [TEAPOTS]}, "items"),
        ({"items": (ShippedItem("SHY-RUG", 1),)}, "items"),
        ({"items": (Item("SHY-RUG", 1_000_000, Decimal("9999999999.99")),)}, "total_amount"),
        ({"currency": "euro"}, "currency"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": "x" * 65}, "event_id"),
        ({"time": datetime(2026, 6, 1)}, "time"),
        ({"time": datetime(2026, 6, 1, tzinfo=timezone(timedelta(hours=2)))}, "time"),
        ({"time": "2026-06-01T08:15:00Z"}, "time"),
        ({"source": "the shop"}, "source"),
        ({"source": ""}, "source"),
        ({"correlation_id": "\n"}, "correlation_id"),
        ({"causation_id": ""}, "causation_id"),
    ],
)
def test_an_event_that_cannot_be_is_refused_and_its_field_named(change, field):
    """A wrong event is stopped where it is made, not where somebody reads it next week."""
    with pytest.raises(EventValidationError) as caught:
        replace(CREATED, **change)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field} cannot be this ")
    assert len(caught.value.args) == 3


def test_other_events_check_their_fields_too():
    """One check for all: nobody can forget it in a new event."""
    for wrong in (
        lambda: OrderCancelled("O-1", ""),
        lambda: OrderCancelled("O-1", "because\nof\x00this"),
        lambda: OrderPaid("O-1", "P-1", Decimal("79.8"), "card"),
        lambda: OrderPaid("O-1", "P-1", 79.80, "card"),
        lambda: ShipmentSent("O-1", "S-1", "Pigeon Post", (TEAPOTS,)),
    ):
        with pytest.raises(EventValidationError):
            wrong()
