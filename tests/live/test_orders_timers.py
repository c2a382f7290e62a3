"""Timers on a real cluster: what they write goes through outbox and relay, and comes back."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from itertools import count

import pytest
from kafka.partitioner.default import murmur2
from sqlalchemy import select

from eventlab.orders import OrderCancelled, background, decode
from eventlab.orders.outbox.relay import Relay
from eventlab.orders.publisher import OrderPublisher
from eventlab.orders.store import Store
from eventlab.orders.store.schema import orders
from eventlab.orders.timers import cancel_unpaid
from eventlab.waiting import wait_until
from tests.live.subscribed import publish, records, running
from tests.unit.orders.inbox.arrivals import BEGUN, CUSTOMER, created, paid

DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "shop.db") as store:
        yield store


def orders_of(partition):
    """Yield ids of orders that Kafka's partitioner brings to one of three partitions."""
    for name in (f"O-{number}" for number in count(1)):
        if (murmur2(name.encode()) & 0x7FFFFFFF) % 3 == partition:
            yield name


def statuses(store):
    table = orders.c
    return dict(store.read(select(table.order_id, table.status)).itertuples(index=False, name=None))


def test_an_order_that_nobody_pays_is_cancelled_and_one_that_is_paid_is_not(cluster, topic, store):
    """From a subscriber's timer by outbox and relay into the topic, and from there into its tables.

    One partition is days ahead of the others. What was paid there, and waits to be read, stays.
    """
    here, there = orders_of(0), orders_of(1)
    forgotten, late = next(here), next(here)
    kept, waits, later = next(there), next(there), next(there)
    publish(cluster, topic, [CUSTOMER, created(forgotten), created(late, time=BEGUN + 9 * DAY)])
    publish(cluster, topic, [created(kept), paid(kept), created(waits)])
    timer = partial(cancel_unpaid, after=DAY, topic=topic)
    with (
        OrderPublisher(cluster.bootstrap_servers, topic) as publisher,
        background.running(Relay(store, publisher).run),
        running(cluster, topic, topic, store=store, timer=timer, max_poll_records=1),
    ):
        wanted = {forgotten: "cancelled", late: "created", kept: "paid", waits: "created"}
        wait_until(lambda: statuses(store) == wanted, 30, lambda: str(statuses(store)))
        publish(cluster, topic, [created(later, time=BEGUN + DAY)])
        wanted |= {waits: "cancelled", later: "created"}
        wait_until(lambda: statuses(store) == wanted, 30, lambda: str(statuses(store)))
    sent = [decode(record) for record in records(cluster, topic)]
    cancelled = [event for event in sent if isinstance(event, OrderCancelled)]
    assert sorted(event.order_id for event in cancelled) == sorted([forgotten, waits])
    first = {event.key: event for event in reversed(sent)}
    for event in cancelled:
        cause = first[event.key]
        assert (event.causation_id, event.correlation_id) == (cause.event_id, cause.event_id)
