"""A batch at once leaves behind what handlers do one by one: in every table, for every error."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from eventlab.orders import CustomerRegistered, OrderPaid, ProductListed, sample_events
from eventlab.orders.errors import StepNotAllowed
from eventlab.orders.fold import apply
from eventlab.orders.handlers import HANDLERS
from eventlab.orders.inbox import Inbox
from eventlab.orders.store import Store
from eventlab.orders.store.schema import METADATA
from tests.unit.orders.handlers.test_handlers import (
    BEGUN,
    CUSTOMER,
    attempt,
    possible_events,
    some_event,
)
from tests.unit.orders.inbox.arrivals import created, delivered

OF_THE_CLOCK = ("processed", "number")


def dump(store):
    """Return all rows of all tables, but for what a clock or a counter says."""
    with store.transaction() as db:
        return {
            table.name: sorted(
                map(repr, db.execute(select(*(c for c in table.c if c.name not in OF_THE_CLOCK))))
            )
            for table in METADATA.sorted_tables
        }


def histories():
    """Yield streams of events: some that the shop would see, some that it would not."""
    chosen = random.Random(7)
    customers = [CustomerRegistered(f"C-{n:05}", "Ada", "GB", time=BEGUN) for n in range(2_001)]
    yield [*customers, *sample_events(40)]
    for _ in range(12):
        story = [CUSTOMER] if chosen.random() < 0.8 else []
        sale = None
        for number in range(40):
            event = some_event(chosen, sale, number)
            sale = attempt(lambda: apply(sale, event))[0] or sale  # noqa: B023
            story += [event] if chosen.random() < 0.9 else [event, any_event(chosen, number)]
        yield story


def any_event(chosen, number):
    """Return one that may be of another order, of one that is there, or of nobody's."""
    moved = BEGUN + timedelta(days=number)
    others = [
        CustomerRegistered("C-1", f"Ada {number}", "FR", time=moved),
        ProductListed("CUP", f"Cup {number}", "kitchen", possible_events(1)[1].amount, time=moved),
    ]
    return chosen.choice([*possible_events(number), *others])


@pytest.mark.parametrize("story", list(histories()), ids=lambda story: f"{len(story)} events")
def test_both_ways_end_alike(store, tmp_path, story):
    """In batches of any size, with copies of what came before among them."""
    chosen, arrivals = random.Random(len(story)), delivered(*story)
    with Store(tmp_path / "other.db") as other:
        at_once = Inbox(store, "same")
        one_by_one = Inbox(other, "same", dict(HANDLERS))
        first = 0
        while first < len(arrivals):
            last = first + chosen.randrange(1, 40 if len(story) < 50 else 400)
            batch = [*chosen.sample(arrivals[:first], min(first, 3)), *arrivals[first:last]]
            outcomes = [
                [(arrival.record.offset, str(error)) for arrival, error in inbox.take(batch).dead]
                for inbox in (at_once, one_by_one)
            ]
            without = [[offset for offset, _ in outcome] for outcome in outcomes]
            assert without[0] == without[1], outcomes
            first = last
        assert dump(store) == dump(other)


@pytest.mark.parametrize("known", [False, True])
def test_what_only_the_tables_can_refuse(store, known):
    """Two orders with one payment_id: the batch is handled one by one, and the second is dead."""
    first = OrderPaid("O-1", "P-1", Decimal("10.00"), "card")
    second = OrderPaid("O-2", "P-1", Decimal("10.00"), "card")
    story = delivered(CUSTOMER, created("O-1"), created("O-2"), first, second, created("O-3"))
    inbox = Inbox(store, "billing")
    dead = inbox.take(story[:4]).dead if known else []
    dead += inbox.take(story[4:] if known else story).dead
    assert [(arrival.record.offset, type(error)) for arrival, error in dead] == [
        (4, StepNotAllowed)
    ]
    assert len(dump(store)["orders"]) == 3
