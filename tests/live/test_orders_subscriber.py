"""A subscriber on a real cluster: every event once, whatever happens to it meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from datetime import UTC, datetime

import pytest
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from sqlalchemy import select

from eventlab import history
from eventlab.errors import InvalidSetting, UnknownTopic
from eventlab.orders import CustomerRegistered, Order, OrderCreated, OrderStatus, Sale, letters
from eventlab.orders.handlers import HANDLERS
from eventlab.orders.store import Store
from eventlab.orders.store.sales import find_sale
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
    records,
    running,
    send,
    story,
    wait_for,
)
from tests.unit.orders.inbox.arrivals import BEGUN, CUSTOMER, ITEMS
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


def test_a_group_of_somebody_else_is_refused(cluster, topic, group):
    """51: its members share out partitions in a way that this one does not know."""
    theirs = {"handler": print, "partition_assignment_strategy": [RangePartitionAssignor]}
    ours = {"handler": print, "partition_assignment_strategy": [RoundRobinPartitionAssignor]}
    with running(cluster, group, topic, **theirs) as member:
        wait_until(member.consumer.assignment, 30, "The first one got nothing.")
        with (
            OrderSubscriber(cluster.bootstrap_servers, group, topic, **ours) as other,
            refused(InvalidSetting, group, "none of roundrobin"),
        ):
            other.run()
        assert member.consumer.assignment()


@pytest.mark.parametrize("given", [["range"], "range", []])
def test_an_unknown_way_to_share_out_partitions_is_refused(cluster, topic, group, given):
    """51: kafka-python wants a list of classes, and nothing is left of what it began."""
    more = {"handler": print, "partition_assignment_strategy": given}
    with nothing_kept_open(cluster), refused(InvalidSetting, "kafka-python refuses these settings"):
        OrderSubscriber(cluster.bootstrap_servers, group, topic, **more)


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


def test_the_articles_minimal_event_is_an_order(cluster, topic, group, store):
    """Version 0 says which order, `find_order` what was ordered; a copy has no second effect.

    It is asked again when it could not answer, as any handler is tried again.
    """
    order, asked = Order("O-1", "C-1", BEGUN, OrderStatus.CREATED, ITEMS), []

    def find_order(order_id):
        asked.append(order_id)
        if len(asked) == 1:
            raise ConnectionError("The shop is not up yet.")
        return {"O-1": order}.get(order_id)

    publish(cluster, topic, [CUSTOMER])
    for key in (b"O-1", b"O-1", None):  # the article sends it without a key
        send(cluster, topic, b'{"event": "ORDER_CREATED", "orderId": "O-1"}', key=key)
    send(cluster, topic, b'{"event": "ORDER_CREATED", "orderId": "O-2"}', key=b"O-2")
    with running(cluster, group, topic, store=store, find_order=find_order):
        total = lambda: sum(committed(cluster, group, topic).values())  # noqa: E731
        wait_until(lambda: total() == 5, 30, lambda: f"{total()} are committed.")
    with store.transaction() as db:
        assert find_sale(db, "O-1") == Sale(order)
    [dead] = records(cluster, f"{topic}-dlt")
    cluster.delete_topic(f"{topic}-dlt")
    assert dead.key == b"O-2"
    assert "Pass find_order= to decode or OrderSubscriber" in letters.text(
        dead.headers, letters.MESSAGE
    )
    assert len(asked) > 4


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


def test_what_comes_while_a_partition_moves_is_after_latest(cluster, topic, group):
    """The first member began at the end, read nothing and left; the next one goes on there."""
    old, new = story(2)[:4], story(2)[4:8]
    publish(cluster, topic, old)
    seen, more = [], {"handler": lambda event: seen.append(event.event_id), "start": "latest"}
    with running(cluster, group, topic, **more) as subscriber:
        begun = lambda: subscriber._progress.owned and not subscriber._progress.new  # noqa: E731
        wait_until(begun, 30, "It does not begin.")
    publish(cluster, topic, new)  # nobody has the partitions
    with running(cluster, group, topic, **more):
        wait_until(lambda: len(seen) >= len(new), 30, lambda: f"{len(seen)} of {len(new)} came.")
    assert sorted(seen) == sorted(event.event_id for event in new)


@pytest.mark.parametrize("start", ["earliest", "latest"])
@pytest.mark.parametrize("gone", ["beyond", "deleted"])
def test_a_committed_offset_that_is_not_there(cluster, topic, group, store, gone, start):
    """It begins with the first record that there is; effects that are there stay as they are."""
    events = story(10)
    half = len(events) // 2
    publish(cluster, topic, events[:half])
    with running(cluster, group, topic, store=store):
        wait_for(store, half)
    ends = {
        TopicPartition(topic, part): at for part, at in committed(cluster, group, topic).items()
    }
    if gone == "deleted":
        commit(cluster, group, dict.fromkeys(ends, 0))
        cluster.admin.delete_records(ends)
    else:
        commit(cluster, group, dict.fromkeys(ends, 1_000_000))
    publish(cluster, topic, events[half:])
    with running(cluster, group, topic, store=store, start=start):
        wait_for(store, len(events))
    assert_told(store, events)
    assert sum(committed(cluster, group, topic).values()) == len(events)


def commit(cluster, group, offsets):
    """Commit offsets for a group that has no members."""
    with KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers, group_id=group) as consumer:
        consumer.commit({part: OffsetAndMetadata(at, "", -1) for part, at in offsets.items()})


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
