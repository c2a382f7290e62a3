"""Each event has its effect once, and one that fails takes no other with it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from eventlab.orders import CustomerRegistered, OrderStatus
from eventlab.orders.errors import EventConflict, EventDecodeError, StepNotAllowed
from eventlab.orders.events import OrderPaid, OrderRefunded
from eventlab.orders.handlers import HANDLERS
from eventlab.orders.handlers.errors import NotYet
from eventlab.orders.inbox import Arrival, Inbox
from eventlab.orders.store.errors import StoreAway
from eventlab.orders.store.schema import (
    customers,
    orders,
    payments,
    processed_events,
    stream_time,
)
from tests.unit.orders.inbox.arrivals import BEGUN, CUSTOMER, created, delivered, paid


@pytest.fixture
def inbox(store):
    return Inbox(store, "billing")


def count(store, table):
    return int(store.read(select(func.count()).select_from(table)).iloc[0, 0])


def test_what_comes_again_has_no_effect_again(store, inbox):
    """In the same batch, in the next one, and in a batch with others."""
    story = delivered(CUSTOMER, created(), paid())
    assert inbox.take([*story, *story]) == inbox.take(story)
    inbox.take(story[:1] + delivered(created("O-2"), start=3) + story[1:])
    assert (count(store, orders), count(store, payments)) == (2, 1)
    places = store.read(select(processed_events.c["topic", "partition", "offset"]))
    assert sorted(places.itertuples(index=False, name=None)) == [("orders", 0, n) for n in range(4)]


def test_each_subscriber_has_its_own_effects(store):
    """Two with one database do not take each other's events."""
    for name in ("billing", "shipping"):
        Inbox(store, name).take(delivered(CUSTOMER))
    assert count(store, processed_events) == 2


def test_two_dedup_names_in_one_batch_of_two_sources(store, inbox):
    """CloudEvents: an id is unique within its source."""
    twins = [replace(CUSTOMER, event_id="1", source=source) for source in ("/a", "/b")]
    assert not inbox.take(delivered(*twins)).dead
    assert count(store, processed_events) == 2


@pytest.mark.parametrize("together", [True, False])
def test_another_event_of_the_same_id_is_a_conflict(store, inbox, together):
    """Its bytes tell it from a redelivery; the first one stays."""
    other = CustomerRegistered("C-1", "Eve", "GB", time=BEGUN, event_id=CUSTOMER.event_id)
    first, second = delivered(CUSTOMER), delivered(other, start=7)
    if together:
        taken = inbox.take(first + second)
    else:
        inbox.take(first)
        taken = inbox.take(second)
    [(arrival, error)] = taken.dead
    assert (arrival.record.offset, type(error)) == (7, EventConflict)
    assert store.read(select(customers.c.name)).name.tolist() == ["Ada"]


@pytest.mark.parametrize("together", [True, False])
def test_another_type_with_the_same_id_and_the_same_bytes_is_a_conflict(store, inbox, together):
    """In binary mode the type is a header: the money of a payment, and of its refund."""
    story = [CUSTOMER, created(), paid()]
    back = OrderRefunded("O-1", "P-O-1", story[2].amount, "card", event_id=story[2].event_id)
    first, second = delivered(*story, mode="binary"), delivered(back, mode="binary", start=7)
    assert first[2].record.value == second[0].record.value
    taken = inbox.take(first + second) if together else [inbox.take(a) for a in (first, second)][1]
    assert [type(error) for _, error in taken.dead] == [EventConflict]


def test_one_that_fails_takes_no_other_with_it(store, inbox):
    """In the middle of a batch, whether a rule refuses it or the tables do."""
    bad = [paid("O-9"), created("O-1", event_id="again")]
    taken = inbox.take(delivered(CUSTOMER, created(), *bad, paid()))
    assert [type(error) for _, error in taken.dead] == [StepNotAllowed, StepNotAllowed]
    assert store.read(select(orders.c.status)).status.tolist() == [OrderStatus.PAID]
    assert count(store, processed_events) == 3


def test_a_dead_event_may_come_again(store, inbox):
    """It is no effect that was had: what was missing may be there when it is replayed."""
    story = delivered(CUSTOMER, created(), paid())
    assert len(inbox.take(story[2:]).dead) == 1
    assert not inbox.take(story).dead
    assert count(store, payments) == 1


def half(event, db):
    """A handler that fails when it has written something."""
    db.execute(
        insert(customers), {"customer_id": "half", "name": "?", "country": "GB", "since": BEGUN}
    )
    raise KeyError("half way")


def test_what_a_failed_handler_wrote_is_undone(store):
    """All of an event's effects or none, and the others'."""
    inbox = Inbox(store, "billing", {**HANDLERS, OrderPaid: half})
    taken = inbox.take(delivered(CUSTOMER, created(), paid(), created("O-2")))
    assert [type(error) for _, error in taken.dead] == [KeyError]
    assert (count(store, customers), count(store, orders)) == (1, 2)


def test_an_event_waits_for_what_is_on_its_way(store):
    """Those behind it in its line wait with it, others go on; then all are in order."""
    inbox = Inbox(store, "billing", tries=3)
    first = delivered(created(), created("O-2"), paid())
    taken = inbox.take(first)
    assert [w.tries for w in taken.waiting] == [1, 1, 0]
    assert count(store, processed_events) == 0
    inbox.take(delivered(CUSTOMER, partition=1))
    assert inbox.take(taken.waiting) == inbox.take([])
    assert (count(store, orders), count(store, payments)) == (2, 1)


def test_what_never_comes_is_not_awaited_for_ever(store):
    """The last try is as many as were given; what waited behind is judged by itself."""
    inbox = Inbox(store, "billing", tries=2)
    waiting = inbox.take(delivered(created(), paid())).waiting
    taken = inbox.take(waiting)
    assert [type(error) for _, error in taken.dead] == [NotYet, StepNotAllowed]
    assert not taken.waiting


def test_a_record_without_an_event_is_dead(store, inbox):
    """With the error that says why; the others are handled."""
    [record] = delivered(paid())
    broken = Arrival(record.record, None, EventDecodeError("No JSON.", "It is x.", "Send JSON."))
    taken = inbox.take([*delivered(CUSTOMER), broken])
    assert taken.dead == [(broken, broken.error)]
    assert count(store, customers) == 1


def test_what_is_not_wanted_any_more_is_left_alone(store, inbox):
    """A partition may be taken away in the middle of a batch: the rest of it is somebody else's.

    If it comes back at once, what is behind the first that was left does not overtake it.
    """
    story = delivered(CUSTOMER, created(), paid(), created("O-2"))
    wanted = iter([True, False, True, True])
    taken = inbox.take(story, wanted=lambda _: next(wanted))
    assert (taken.waiting, taken.dead) == (story[1:3], [])
    assert (count(store, processed_events), count(store, payments)) == (2, 0)


def test_an_async_handler_is_awaited(store):
    """Before the next event is handled, in the same transaction."""

    async def later(event, db):
        await asyncio.sleep(0)
        return HANDLERS[type(event)](event, db)

    inbox = Inbox(store, "billing", {**HANDLERS, OrderPaid: later}, run=asyncio.run)
    assert not inbox.take(delivered(CUSTOMER, created(), paid())).dead
    assert count(store, payments) == 1


def test_the_stream_has_a_time(store, inbox):
    """The largest of the events that were handled; it never goes back."""
    hours = [timedelta(hours=number) for number in range(4)]
    inbox.take(
        delivered(CUSTOMER, created(time=BEGUN + hours[2]), paid("O-9", time=BEGUN + hours[3]))
    )
    inbox.take(delivered(paid(time=BEGUN + hours[1]), start=9))
    assert store.read(select(stream_time.c.time)).time.tolist() == [BEGUN + hours[2]]


@pytest.mark.parametrize("name", ["'); DROP TABLE orders; --", "Ro\u0301bert"])
def test_text_is_data(store, inbox, name):
    """Whatever it says, it is stored as it came."""
    inbox.take(delivered(CustomerRegistered("C-1", name, "GB")))
    assert store.read(select(customers.c.name)).name.tolist() == [name]
    assert count(store, orders) == 0


@pytest.mark.parametrize("value", [2**70, "a\0b"])
def test_values_that_no_table_takes_are_dead(store, value):
    """A handler's number of 70 bits, NUL in text: SQLite takes the NUL, PostgreSQL does not."""

    def handler(event, db):
        db.execute(text("INSERT INTO stream_time VALUES (:name, NULL)"), {"name": value})

    inbox = Inbox(store, "billing", {CustomerRegistered: handler})
    [(_, error)] = inbox.take(delivered(CUSTOMER)).dead
    assert error
    assert count(store, processed_events) == 0


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("SELECT * FROM nowhere", 1),
        ("SELECT x FROM orders", 1),
        ("SELEC 1", 1),
        ("SELECT :value", object()),
    ],
)
def test_sql_that_is_wrong_is_its_handlers_error(store, statement, value):
    """It is tried as often as any other, and then dead; the events beside it are handled."""

    def handler(event, db):
        db.execute(text(statement), {"value": value})

    inbox = Inbox(store, "billing", {**HANDLERS, OrderPaid: handler}, tries=2)
    taken = inbox.take(delivered(CUSTOMER, created(), paid(), created("O-2")))
    assert (taken.dead, [w.tries for w in taken.waiting]) == ([], [1])
    assert count(store, orders) == 2
    [(_, error)] = inbox.take(taken.waiting).dead
    assert isinstance(error, DBAPIError)


def test_a_connection_that_dies_in_the_middle_loses_nothing(store):
    """StoreAway, nothing of the batch is kept, and the same batch goes through afterwards."""

    def handler(event, db):
        if dies and db.dialect.name == "postgresql":
            db.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        if dies:
            raise OperationalError("COMMIT", {}, broken)
        HANDLERS[type(event)](event, db)

    dies, broken = True, sqlite3.OperationalError("disk I/O error")
    broken.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    inbox = Inbox(store, "billing", {**HANDLERS, OrderPaid: handler})
    story = delivered(CUSTOMER, created(), paid())
    with pytest.raises(StoreAway):
        inbox.take(story)
    assert count(store, customers) == 0
    dies = False
    assert not inbox.take(story).dead
    assert count(store, payments) == 1


def test_two_that_are_given_the_same_batch(store):
    """One was taken for dead and is not, or is not yet: the second waits, and finds all done."""
    begun, goes_on = threading.Event(), threading.Event()

    def wait(db):
        begun.set()
        goes_on.wait(10)

    story = delivered(CUSTOMER, created(), created("O-2"), paid())
    first, second = Inbox(store, "billing", timer=wait), Inbox(store, "billing")
    with ThreadPoolExecutor(2) as both:
        one = both.submit(first.take, story)
        begun.wait(10)
        other = both.submit(second.take, [story[3], *story[:3]])
        assert wait_for([other], timeout=0.3).not_done
        goes_on.set()
        assert (one.result(10).dead, other.result(10).dead) == ([], [])
    assert (count(store, processed_events), count(store, payments)) == (4, 1)
