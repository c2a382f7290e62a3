"""Handlers without a database: in order for each key, async ones of different keys at once."""

from __future__ import annotations

import asyncio

from sqlalchemy.exc import OperationalError

from eventlab.orders.events import EVENTS
from eventlab.orders.handlers.errors import NotYet
from eventlab.orders.subscriber.calls import Calls
from tests.unit.orders.inbox.arrivals import created, delivered, paid


def calls(handler, tries=1):
    return Calls(dict.fromkeys(EVENTS.values(), handler), tries, asyncio.run)


def everything(arrival):
    return True


def test_each_event_is_handled_in_the_order_of_the_batch():
    """What a handler returns is of no interest."""
    seen = []
    taken = calls(lambda event: seen.append(event) or "junk").take(
        batch := delivered(created(), paid(), created("O-2")), everything
    )
    assert (seen, taken.dead, taken.waiting) == ([a.event for a in batch], [], [])


def test_async_handlers_wait_for_those_of_their_key_alone():
    """The payment of an order begins when its creation is done; another order need not wait."""
    log = []

    async def handler(event):
        log.append(("begins", event.key, type(event).__name__))
        if event.key == "O-1" and "O-2" not in [key for what, key, _ in log if what == "ends"]:
            while ("ends", "O-2", "OrderPaid") not in log:  # it never would, one after the other
                await asyncio.sleep(0)
        log.append(("ends", event.key, type(event).__name__))

    batch = delivered(created(), created("O-2"), paid(), paid("O-2"))
    assert not calls(handler).take(batch, everything).dead
    mine = [(what, kind) for what, key, kind in log if key == "O-1"]
    assert mine == [
        ("begins", "OrderCreated"),
        ("ends", "OrderCreated"),
        ("begins", "OrderPaid"),
        ("ends", "OrderPaid"),
    ]


def test_an_async_handler_that_fails_holds_back_its_key():
    """And no other; what waits is in the order of the log."""

    async def handler(event):
        if event.key == "O-1":
            raise NotYet("No.", "No.", "Wait.")

    batch = delivered(created(), created("O-2"), paid(), paid("O-2"))
    taken = calls(handler, tries=2).take(batch, everything)
    assert [(a.record.offset, a.tries) for a in taken.waiting] == [(0, 1), (2, 0)]
    again = calls(handler, tries=2).take(taken.waiting, everything)
    assert [(a.record.offset, type(e)) for a, e in again.dead] == [(0, NotYet)]
    assert [a.record.offset for a in again.waiting] == [2]


def test_what_is_not_wanted_any_more_is_left_alone():
    """Its partition belongs to another member."""
    seen = []
    batch = delivered(created(), created("O-2"))
    taken = calls(seen.append).take(batch, lambda arrival: arrival.record.offset == 0)
    assert ([event.key for event in seen], taken.waiting) == (["O-1"], batch[1:])


def test_an_error_of_the_handlers_own_database_is_the_handlers():
    """There is no store of ours that could be waited for; those before it are not called again."""
    seen = []

    def handler(event):
        seen.append(event.key)
        if event.key == "O-2":
            raise OperationalError("SELECT 1", {}, ConnectionError("It is away."))

    taken = calls(handler, tries=2).take(delivered(created(), created("O-2")), everything)
    assert [(a.record.offset, a.tries) for a in taken.waiting] == [(1, 1)]
    assert seen == ["O-1", "O-2"]
