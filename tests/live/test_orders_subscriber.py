"""A subscriber on a real cluster: every event once, whatever happens to it meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import threading
import time
from datetime import UTC, datetime

import pytest
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from sqlalchemy import select

from eventlab import faults, history
from eventlab.errors import UnknownTopic
from eventlab.orders import CustomerRegistered, OrderCreated
from eventlab.orders.handlers import HANDLERS
from eventlab.orders.store import Store
from eventlab.orders.store.schema import processed_events
from eventlab.orders.subscriber import OrderSubscriber
from eventlab.waiting import wait_until
from tests.live.clients import nothing_kept_open
from tests.live.subscribed import (
    QUICK,
    assert_told,
    committed,
    handled,
    publish,
    running,
    send,
    story,
    wait_for,
)
from tests.unit.refusals import refused


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "shop.db") as store:
        yield store


@pytest.fixture
def group(request):
    return request.node.name.replace("[", "-").replace("]", "")


def effects(store):
    table = processed_events.c
    return store.read(select(table.topic, table.partition, table.offset))


def test_every_event_has_its_effect_once(cluster, topic, group, store):
    """Customers and orders in other partitions; judged by the log, with what SQL has (I10)."""
    events = story(60)
    run = history.record(group, cluster)
    publish(cluster, topic, events, run=run)
    with running(cluster, group, topic, store=store, run=run):
        wait_for(store, len(events))
    assert_told(store, events)
    assert sum(committed(cluster, group, topic).values()) == len(events)
    verdict = run.verify(effects=effects(store))
    assert verdict.valid, verdict


def test_members_come_and_go(cluster, topic, group, store):
    """One more joins and leaves while events come: nothing is lost, nothing has two effects."""
    events = story(400)
    run = history.record(group, cluster)
    half = len(events) // 2
    few = {"store": store, "max_poll_records": 50}
    with running(cluster, group, topic, **few, run=run):
        publish(cluster, topic, events[:half], run=run)
        with running(cluster, group, topic, **few, run=run) as second:
            wait_until(second.consumer.assignment, 30, "The second one got nothing.")
            publish(cluster, topic, events[half:], run=run)
            wait_for(store, half)
        wait_for(store, len(events))
    assert_told(store, events)
    assert sum(committed(cluster, group, topic).values()) == len(events)
    verdict = run.verify(effects=effects(store))
    assert verdict.valid, verdict


@pytest.mark.parametrize("strategy", [RangePartitionAssignor, CooperativeStickyAssignor])
def test_a_rebalance_in_the_middle_of_a_batch(cluster, topic, group, tmp_path, strategy):
    """What was taken away is left alone, what comes back goes on where it was left."""
    seen, begun, goes_on = [], threading.Event(), threading.Event()

    def slow(event):
        seen.append(event.event_id)
        begun.set()
        goes_on.wait(30)

    events = story(20)
    more = {"handler": slow, "partition_assignment_strategy": [strategy]}
    publish(cluster, topic, events)
    with running(cluster, group, topic, **more):
        begun.wait(30)
        with running(cluster, group, topic, **more) as second:
            wait_until(second.consumer.assignment, 30, "The second one got nothing.")
            goes_on.set()
            total = lambda: sum(committed(cluster, group, topic).values())  # noqa: E731
            wait_until(lambda: total() >= len(events), 30, lambda: f"{total()} are committed.")
    assert set(seen) == {event.event_id for event in events}
    assert len(seen) <= len(events) + 2  # one that was under way may come again, to the other


def test_more_members_than_partitions(cluster, topic, group, store):
    """The fourth of three has nothing to do, and does not mind."""
    events = story(20)
    with contextlib.ExitStack() as members:
        made = [members.enter_context(running(cluster, group, topic, store=store)) for _ in "1234"]
        owned = lambda: [len(each.consumer.assignment()) for each in made]  # noqa: E731
        wait_until(lambda: sorted(owned()) == [0, 1, 1, 1], 30, lambda: str(owned()))
        publish(cluster, topic, events)
        wait_for(store, len(events))
    assert_told(store, events)


def test_a_handler_that_is_slower_than_the_group_allows(cluster, topic, group):
    """The member polls meanwhile, so that it stays in the group: one generation, one delivery."""
    seen, generations, begun = [], [], time.monotonic()

    def slow(event):
        seen.append(event.event_id)
        generations.append(subscriber.consumer.group_metadata().generation_id)
        wait_until(lambda: time.monotonic() > begun + 4, 30, "Time stands still.")

    publish(cluster, topic, story(1)[:2])
    with running(cluster, group, topic, handler=slow, max_poll_interval_ms=2_000) as subscriber:
        total = lambda: sum(committed(cluster, group, topic).values())  # noqa: E731
        wait_until(lambda: total() == 2, 30, lambda: f"{total()} are committed.")
        generations.append(subscriber.consumer.group_metadata().generation_id)
    assert len(seen) == 2
    assert len(set(generations)) == 1


def test_only_what_is_wanted_is_handled_and_all_is_committed(cluster, topic, group, store):
    """By type and by predicate; what is skipped does not come again."""
    events = story(30)
    wanted = [
        event for event in events if isinstance(event, OrderCreated) and event.key > "O-0000010"
    ]
    publish(cluster, topic, events)
    send(cluster, topic, b'{"event": "ORDER_FORGOTTEN", "orderId": "O-1"}')  # a type of nobody
    seen = []
    more = {"types": [OrderCreated], "where": lambda event: event.key > "O-0000010"}
    with running(cluster, group, topic, handler=seen.append, **more):
        total = lambda: sum(committed(cluster, group, topic).values())  # noqa: E731
        wait_until(lambda: total() == len(events) + 1, 30, lambda: f"{total()} are committed.")
    assert sorted(event.event_id for event in seen) == sorted(event.event_id for event in wanted)


def test_starting_at_the_end_and_at_a_time(cluster, topic, group):
    """Only where the group has committed nothing: then it goes on there."""
    old, new = story(2)[:4], story(2)[4:8]
    publish(cluster, topic, old, timestamp_ms=1_000_000)
    publish(cluster, topic, new, timestamp_ms=2_000_000)
    since = datetime.fromtimestamp(1_500, UTC)
    for start, wanted in ((since, new), ("earliest", old + new), ("latest", [])):
        seen, name = [], f"{group}-{start if isinstance(start, str) else 'time'}"
        with running(cluster, name, topic, handler=seen.append, start=start) as subscriber:
            wait_until(lambda: len(seen) >= len(wanted), 30, lambda: str(len(seen)))  # noqa: B023
            wait_until(lambda: subscriber._progress.owned, 30, "It owns nothing.")
        assert sorted(e.event_id for e in seen) == sorted(e.event_id for e in wanted)
    with running(cluster, f"{group}-earliest", topic, handler=seen.append, start=since):
        publish(cluster, topic, [paid := story(3)[-1]])
        wait_until(lambda: seen, 30, "Nothing came.")
    assert [event.event_id for event in seen] == [paid.event_id]


def test_topics_by_a_pattern(cluster, topic, group, store):
    """Those that match, and no other."""
    events = story(5)
    cluster.create_topic(f"{topic}-other", partitions=1, fresh=True)
    try:
        send(cluster, f"{topic}-other", b"no event")
        publish(cluster, topic, events)
        with running(cluster, group, (), pattern=f"^{topic}$", store=store):
            wait_for(store, len(events))
        assert set(effects(store).topic) == {topic}
    finally:
        cluster.delete_topic(f"{topic}-other")


def test_a_topic_that_is_not_there(cluster):
    """It would wait for ever; the nearest name is told, and nothing stays open."""
    with nothing_kept_open(cluster), refused(UnknownTopic, "'no-such-topic'", within=5):
        OrderSubscriber(cluster.bootstrap_servers, "g", "no-such-topic", handler=print)


def test_the_database_is_away(cluster, topic, group, tmp_path, monkeypatch):
    """The member stays in the group, reads nothing more, and goes on when it is back."""
    monkeypatch.setattr("eventlab.orders.store.database.PATIENCE", 0.2)
    events, path = story(30), tmp_path / "shop.db"
    with Store(path) as store:
        locks = sqlite3.connect(path, isolation_level=None)
        locks.execute("BEGIN EXCLUSIVE")
        publish(cluster, topic, events)
        with running(cluster, group, topic, store=store) as subscriber:
            paused = subscriber.consumer.paused
            wait_until(lambda: len(paused()) == 3, 30, lambda: f"{paused()} are paused.")
            assert sum(committed(cluster, group, topic).values()) == 0
            generation = subscriber.consumer.group_metadata().generation_id
            locks.execute("ROLLBACK")
            wait_for(store, len(events))
            assert subscriber.consumer.group_metadata().generation_id == generation
        locks.close()
        assert_told(store, events)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(cluster, topic, group, store, number):
    """What is being handled is finished and committed; the next member is let in at once."""
    events, before, asked = story(30)[:20], signal.getsignal(number), threading.Event()
    assert {type(event) for event in events} == {CustomerRegistered}  # which wait for nothing
    publish(cluster, topic, events)

    def handler(event, db):
        if not asked.is_set():
            asked.set()
            os.kill(os.getpid(), number)
        return HANDLERS[type(event)](event, db)

    handlers = {**HANDLERS, CustomerRegistered: handler}
    with nothing_kept_open(cluster):
        subscriber = OrderSubscriber(
            cluster.bootstrap_servers, group, topic, store=store, handler=handlers, **QUICK
        )
        with subscriber:
            subscriber.run()
        store.close()
    assert signal.getsignal(number) is before
    assert sum(committed(cluster, group, topic).values()) == handled(store) > 0
    with running(cluster, group, topic, store=store):
        wait_for(store, len(events), within=5)


def test_an_async_handler_and_one_that_returns_junk(cluster, topic, group, store):
    """Whatever a handler returns, its event is handled when it is done."""

    async def later(event, db):
        return HANDLERS[type(event)](event, db) or object()

    events = story(10)
    publish(cluster, topic, events)
    with running(cluster, group, topic, store=store, handler=later):
        wait_for(store, len(events))
    assert_told(store, events)


def test_kafka_is_away(cluster, topic, group, store):
    """No broker can be reached for a while; what comes afterwards is handled as ever."""
    events = story(30)
    half = len(events) // 2
    publish(cluster, topic, events[:half])
    with running(cluster, group, topic, store=store):
        wait_for(store, 1)
        with contextlib.ExitStack() as cuts:
            for node_id in cluster.brokers:
                cuts.enter_context(faults.clients_cut(cluster, node_id, refused=True))
            until = time.monotonic() + 1.5
            wait_until(lambda: time.monotonic() > until, 10, "Time stands still.")
        publish(cluster, topic, events[half:])
        wait_for(store, len(events))
    assert_told(store, events)
    assert sum(committed(cluster, group, topic).values()) == len(events)
