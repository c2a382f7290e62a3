"""Unpaid orders are cancelled by the time of the stream, each once and always by the same event."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from sqlalchemy import select, text

from eventlab.errors import InvalidSetting
from eventlab.orders import OrderCreated, OrderStatus, decode
from eventlab.orders.handlers.steps import locked
from eventlab.orders.inbox import Inbox
from eventlab.orders.store.schema import orders, outbox
from eventlab.orders.timers import cancel_unpaid
from tests.unit.orders.databases import postgresql, store, url  # noqa: F401 (fixtures)
from tests.unit.orders.inbox.arrivals import BEGUN, CUSTOMER, created, delivered, paid
from tests.unit.refusals import refused

DAY = timedelta(days=1)


@pytest.fixture
def inbox(store):  # noqa: F811
    return Inbox(store, "billing", timer=partial(cancel_unpaid, after=DAY))


def sent(store):  # noqa: F811
    """Return the events in the outbox."""
    rows = store.read(select(outbox.c.value).order_by(outbox.c.position))
    return [decode(SimpleNamespace(value=bytes(value), headers=[])) for value in rows.value]


def test_an_order_that_nobody_paid_in_time_is_cancelled(store, inbox):  # noqa: F811
    """When an event says that it is late, and not before; one that is paid is not."""
    inbox.take(delivered(CUSTOMER, created(), created("O-2"), paid("O-2")))
    inbox.take(delivered(created("O-3", time=BEGUN + DAY - timedelta(seconds=1)), start=9))
    assert sent(store) == []
    inbox.take(delivered(created("O-4", time=BEGUN + DAY), start=10))
    [event] = sent(store)
    assert (event.order_id, event.time, event.key) == ("O-1", BEGUN + DAY, "O-1")
    inbox.take(delivered(created("O-5", time=BEGUN + DAY), start=11))
    assert len(sent(store)) == 1  # it is on its way
    assert not inbox.take(delivered(event, start=12)).dead
    statuses = dict(store.read(select(orders.c.order_id, orders.c.status)).itertuples(index=False))
    assert statuses["O-1"] == OrderStatus.CANCELLED


def test_the_same_orders_are_cancelled_however_they_are_read(store):  # noqa: F811
    """One by one or all at once, by whatever subscriber: the same bytes, in the same order."""
    hours = [timedelta(hours=number) for number in range(60)]
    story = [CUSTOMER, *(created(f"O-{n}", time=BEGUN + hours[n]) for n in range(60))]
    seen = []
    for name, size in (("one", 1), ("other", 61)):
        with store.transaction() as db:
            for table in reversed(orders.metadata.sorted_tables):
                if table.name != "schema_version":
                    db.execute(table.delete())
        inbox = Inbox(store, name, timer=partial(cancel_unpaid, after=DAY))
        for first in range(0, 61, size):
            inbox.take(delivered(*story[first : first + size], start=first))
        seen.append(sent(store))
    assert seen[0] == seen[1]
    assert [event.order_id for event in seen[0]] == [f"O-{n}" for n in range(36)]


def test_a_partition_that_is_ahead_tells_nothing_of_another(store, inbox):  # noqa: F811
    """A payment that is in the log and was not read yet comes in time, however far others are."""
    inbox.take(delivered(CUSTOMER, created("O-9", time=BEGUN + 9 * DAY), partition=1))
    inbox.take(delivered(created(), created("O-2")))
    Inbox(store, "mail", {OrderCreated: lambda event, db: None}).take(
        delivered(created("O-8", time=BEGUN + 9 * DAY), partition=0, start=9)
    )  # another subscriber, which is ahead in this partition
    assert sent(store) == []
    assert not inbox.take(delivered(paid(), start=2)).dead
    inbox.take(delivered(created("O-3", time=BEGUN + DAY), start=3))
    assert [event.order_id for event in sent(store)] == ["O-2"]


def test_two_subscribers_that_have_handled_an_order_cancel_it_once(store, inbox):  # noqa: F811
    """When the slower one has come so far: the payment may be what it has not read yet."""
    mail = Inbox(store, "mail", {OrderCreated: lambda event, db: None})
    story = delivered(CUSTOMER, created(), created("O-9", time=BEGUN + DAY))
    mail.take(story)
    inbox.take(story[:2])
    assert sent(store) == []
    inbox.take(story[2:])
    assert [event.order_id for event in sent(store)] == ["O-1"]


def test_two_members_that_look_at_once_cancel_an_order_once(store):  # noqa: F811
    """The second one waits for the first one's transaction, and finds nothing left to do."""
    Inbox(store, "billing").take(delivered(CUSTOMER, created(), created("O-9", time=BEGUN + DAY)))

    def cancels():
        with store.transaction() as db:
            return cancel_unpaid(db, after=DAY)

    with ThreadPoolExecutor(1) as pool:
        with store.transaction() as db:
            assert cancel_unpaid(db, after=DAY) == 1
            other = pool.submit(cancels)
            assert wait_for([other], timeout=0.3).not_done
        assert other.result(10) == 0
    assert len(sent(store)) == 1


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_a_timer_does_not_wait_for_the_events_of_an_order(store):  # noqa: F811
    """Two members that wait for each other's rows would be a deadlock."""
    Inbox(store, "billing").take(delivered(CUSTOMER, created(), created("O-9", time=BEGUN + DAY)))
    with store.transaction() as one, store.transaction() as other:
        locked(other, created())
        one.execute(text("SET LOCAL lock_timeout = '200ms'"))
        assert cancel_unpaid(one, after=DAY) == 1


def test_a_cancellation_follows_from_its_order(store, inbox):  # noqa: F811
    """Whoever traces an order finds what was decided by the clock as well."""
    first = created(correlation_id="campaign")
    inbox.take(delivered(CUSTOMER, first, created("O-9", time=BEGUN + DAY)))
    [event] = sent(store)
    assert (event.correlation_id, event.causation_id) == ("campaign", first.event_id)


def test_without_events_there_is_no_time(store):  # noqa: F811
    """The clock of this machine is of no interest."""
    with store.transaction() as db:
        assert cancel_unpaid(db, after=DAY) == 0


@pytest.mark.parametrize("after", [timedelta(0), -DAY, 3600])
def test_what_is_no_time_is_refused(store, after):  # noqa: F811
    """An order cannot be late before it is made."""
    with refused(InvalidSetting), store.transaction() as db:
        cancel_unpaid(db, after=after)
