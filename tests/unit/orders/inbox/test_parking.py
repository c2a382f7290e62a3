"""Behind a dead event of its key an event waits, until a replay brings the dead one through."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from eventlab.orders import OrderStatus, letters
from eventlab.orders.errors import EventDecodeError, StepNotAllowed
from eventlab.orders.handlers import handle
from eventlab.orders.inbox import Inbox, KeyParked, discard
from eventlab.orders.store.schema import orders, parked_events
from tests.unit.orders.inbox.arrivals import CUSTOMER, created, delivered, paid


@pytest.fixture
def inbox(store):
    return Inbox(store, "billing", park=True)


def replayed(*arrivals):
    """Return arrivals as a replay sends them: at other offsets, with the place they had."""
    return [
        replace(
            arrival,
            record=arrival.record._replace(
                offset=100 + arrival.record.offset,
                headers=[
                    *letters.own(arrival.record),
                    (letters.PARTITION, letters.place(arrival.record)[0].to_bytes(4, "big")),
                    (letters.OFFSET, letters.place(arrival.record)[1].to_bytes(8, "big")),
                ],
            ),
        )
        for arrival in arrivals
    ]


def errors(taken):
    return [type(error) for _, error in taken.dead]


def parked(store):
    return store.read(select(parked_events.c.offset)).offset.tolist()


def statuses(store):
    return dict(store.read(select(orders.c.order_id, orders.c.status)).itertuples(index=False))


def test_events_behind_a_dead_one_wait_and_come_in_their_order(store, inbox):
    """Also those that come while it is replayed; other keys go on."""
    customer, first, other, second = delivered(CUSTOMER, created(), created("O-2"), paid())
    broken = replace(first, event=None, error=EventDecodeError("No JSON.", "It is x.", "Send it."))
    assert errors(inbox.take([customer, broken, other, second])) == [EventDecodeError, KeyParked]
    assert errors(inbox.take([second])) == [KeyParked]  # a redelivery is no new one
    assert parked(store) == [1, 3]
    assert statuses(store) == {"O-2": OrderStatus.CREATED}
    [back] = replayed(first)
    [late] = delivered(paid("O-1", event_id="late"), start=9)
    assert errors(inbox.take([late, back])) == [KeyParked]
    assert parked(store) == [3, 9]
    assert not inbox.take(replayed(second)).dead
    assert errors(inbox.take(replayed(late))) == [StepNotAllowed]  # it is paid
    assert statuses(store)["O-1"] == OrderStatus.PAID


def test_when_the_first_fails_again_the_others_still_wait(store, inbox):
    """A replay of all of them changes nothing while the cause is not mended."""
    first, second = delivered(created(), paid())
    customer = delivered(CUSTOMER, partition=1)
    story = [first, second]
    dead = [type(error).__name__ for _, error in inbox.take(story).dead]
    assert dead == ["NotYet", "KeyParked"]
    assert len(inbox.take(replayed(*story)).dead) == 2
    inbox.take(customer)
    assert not inbox.take(replayed(*replayed(*story))).dead
    assert (parked(store), statuses(store)) == ([], {"O-1": OrderStatus.PAID})


def test_a_copy_of_a_parked_event_does_not_block_its_key(store, inbox):
    """It was handled as the first one: the next may come."""
    first, copy = delivered(paid(event_id="1"), paid(event_id="1"))
    inbox.take([first, copy])
    with store.transaction() as db:  # what was missing comes
        handle(CUSTOMER, db)
        handle(created(), db)
    assert not inbox.take(replayed(first, copy)).dead
    assert parked(store) == []


def test_a_dead_event_can_be_given_up(store, inbox):
    """What can never be handled would keep its key waiting for ever."""
    first, second = delivered(paid("O-1", event_id="never"), created())
    inbox.take([*delivered(CUSTOMER, partition=1), first, second])
    assert discard(store, "billing", "orders", 0, 0)
    assert not discard(store, "billing", "orders", 0, 0)
    assert not inbox.take(replayed(second)).dead
    assert statuses(store) == {"O-1": OrderStatus.CREATED}


def test_without_a_key_nobody_is_behind(store, inbox):
    """A record without one is dead for itself."""
    [arrival] = delivered(paid())
    nobody = replace(arrival, record=arrival.record._replace(key=None))
    assert errors(inbox.take([nobody])) == [StepNotAllowed]
    assert parked(store) == []


def test_unless_asked_to_nothing_is_parked(store):
    """Those behind a dead one are handled, if they can be."""
    story = delivered(CUSTOMER, paid(), created())
    assert errors(Inbox(store, "billing").take(story)) == [StepNotAllowed]
    assert (parked(store), statuses(store)) == ([], {"O-1": OrderStatus.CREATED})
