"""A command becomes the event that follows in the story of its order."""

from __future__ import annotations

from decimal import Decimal

import pytest

from eventlab.orders.handlers import HANDLERS
from eventlab.orders.inbox import Inbox
from eventlab.orders.web.commands import CancelOrder, DeliverShipment, PayOrder, ShipOrder
from tests.unit.orders.databases import postgresql, store, url  # noqa: F401 (fixtures)
from tests.unit.orders.inbox.arrivals import CUSTOMER, created, delivered

STORY = (
    PayOrder(Decimal("10.00"), "card"),
    ShipOrder("Snail Mail", shipment_id="S-1"),
    DeliverShipment("S-1"),
)


@pytest.mark.parametrize("handlers", [HANDLERS, dict(HANDLERS)], ids=["at once", "one by one"])
def test_what_is_done_to_an_order_is_one_correlation(store, handlers):  # noqa: F811
    """Each event names the one right before it as its cause, as `then` does."""
    inbox, last = Inbox(store, "billing", handlers), created(correlation_id="campaign")
    inbox.take(delivered(CUSTOMER, last))
    for at, command in enumerate(STORY, 2):
        with store.reading() as db:
            event = command.event("O-1", db)
        assert (event.correlation_id, event.causation_id) == ("campaign", last.event_id)
        assert not inbox.take(delivered(event, start=at)).dead
        last = event


def test_a_story_that_is_read_at_once_leaves_its_last_event(store):  # noqa: F811
    """The cause is the last one that changed the order, however many were in one batch."""
    first = created("O-1")
    Inbox(store, "billing").take(delivered(CUSTOMER, first, created("O-2")))
    with store.reading() as db:
        event = CancelOrder("No need any more.").event("O-1", db)
    assert event.causation_id == event.correlation_id == first.event_id
