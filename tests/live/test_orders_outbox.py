"""What is in SQL is in Kafka and the other way round, whenever whoever wrote it is killed."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from eventlab import faults
from eventlab.errors import UnknownTopic
from eventlab.orders import OrderCancelled, decode, encode
from eventlab.orders.background import running
from eventlab.orders.outbox import add
from eventlab.orders.outbox.relay import Relay
from eventlab.orders.publisher import OrderPublisher
from eventlab.orders.store import Store
from eventlab.orders.store.schema import customers, outbox
from eventlab.waiting import wait_until
from tests.live.clients import nothing_kept_open, records_of
from tests.unit.refusals import refused

KEYS = 5


@pytest.fixture
def publisher(cluster, topic):
    """A publisher that a relay uses."""
    with OrderPublisher(cluster.bootstrap_servers, topic) as publisher:
        yield publisher


def cancelled(number):
    return OrderCancelled(f"O-{number % KEYS}", str(number))


def fill(store, topic, count):
    """Add events, a transaction for each; return them."""
    events = [cancelled(number) for number in range(count)]
    for event in events:
        with store.transaction() as db:
            add(db, event, topic)
    return events


def waiting(store):
    """Return how many events are in the outbox."""
    with store.transaction() as db:
        return db.scalar(select(func.count()).select_from(outbox))


def by_key(events):
    """Return events by key, each key's in their order, each event once: the first time."""
    found = defaultdict(dict)
    for event in events:
        found[event.key].setdefault(event.event_id, event)
    return {key: list(each.values()) for key, each in found.items()}


def in_kafka(cluster, topic):
    """Return the events of a topic by key, as a subscriber takes them that drops known ids."""
    return by_key(map(decode, records_of(cluster, topic)))


def test_a_relay_moves_what_waits_byte_for_byte_and_in_order(cluster, topic, store, publisher):
    """Nothing is left in the outbox, nothing comes twice, and each key keeps its order."""
    events = fill(store, topic, 30)
    with Relay(store, publisher) as relay:
        assert relay.step() == 30
        assert relay.step() == 0
    assert waiting(store) == 0
    records = {decode(record).event_id: record for record in records_of(cluster, topic)}
    assert len(records) == 30
    for event in events:
        record = records[event.event_id]
        assert (record.key, record.value, list(record.headers)) == encode(event)
    assert in_kafka(cluster, topic) == by_key(events)


def test_what_a_later_version_has_written_is_moved_as_it_is(cluster, topic, store, publisher):
    """A type of which this version has not heard, and bytes that it could not read."""
    later = json.loads(encode(cancelled(1)).value) | {"type": "example.eventlab.order.paused"}
    for value in (json.dumps(later).encode(), b"\0 not JSON"):
        row = {"topic": topic, "key": b"O-1", "value": value, "headers": [["of", "version 2"]]}
        with store.transaction() as db:
            db.execute(outbox.insert(), row | {"created": datetime.now(UTC)})
    events = fill(store, topic, 3)
    with Relay(store, publisher) as relay:
        assert relay.step() == 5
    sent = [r for r in records_of(cluster, topic) if r.headers == [("of", b"version 2")]]
    assert [record.value for record in sent] == [json.dumps(later).encode(), b"\0 not JSON"]
    assert len(records_of(cluster, topic)) == 2 + len(events)


def test_transactions_that_overlap_lose_nothing_and_keep_the_order_of_each_key(
    cluster, topic, store, publisher
):
    """Eight threads add, wait, commit or undo, while the relay is at work.

    What each transaction saw as its position is the order that Kafka has to have.
    """
    added, lock = [], threading.Lock()

    def write(thread):
        dice = random.Random(thread)
        for number in range(25):
            event = cancelled(thread * 100 + dice.randrange(KEYS) + number * KEYS)
            with contextlib.suppress(KeyError), store.transaction() as db:
                add(db, event, topic)
                at = db.scalar(
                    select(func.max(outbox.c.position)).where(outbox.c.key == event.key.encode())
                )
                db.scalar(select(func.count()).select_from(customers))  # others have time to pass
                if dice.random() < 0.2:
                    raise KeyError
                with lock:
                    added.append((at, event))

    with running(Relay(store, publisher).run):
        threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        wait_until(lambda: waiting(store) == 0, 30, lambda: f"{waiting(store)} still wait.")
    assert len(added) > 100
    expected = by_key(event for _, event in sorted(added, key=lambda pair: pair[0]))
    assert in_kafka(cluster, topic) == expected


def killed(way, point, url, cluster, topic):
    """Let a program run until it is killed at this point."""
    told = [way, point, url, cluster.bootstrap_servers, topic]
    command = [sys.executable, "-m", "tests.live.outbox_child", *told]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr


def effects(store):
    """Return how many customers the tables have."""
    with store.transaction() as db:
        return db.scalar(select(func.count()).select_from(customers))


def test_two_writes_leave_sql_ahead_of_kafka(cluster, topic, store, url):
    """The shop has a customer of whom nobody will ever hear."""
    killed("sql first", "between", url, cluster, topic)
    assert (effects(store), len(records_of(cluster, topic))) == (1, 0)


def test_two_writes_leave_kafka_ahead_of_sql(cluster, topic, store, url):
    """Everybody has heard of a customer that the shop does not have."""
    killed("kafka first", "between", url, cluster, topic)
    assert (effects(store), len(records_of(cluster, topic))) == (0, 1)


@pytest.mark.parametrize(
    ("point", "there", "times"),
    [
        ("written", 0, {0}),
        ("added", 0, {0}),
        ("committed", 1, {1}),
        ("to be sent", 1, {1}),
        ("sent", 1, {1, 2}),  # it may have left, or not
        ("acknowledged", 1, {2}),  # the relay did not live to note it: it is sent again
        ("removed", 1, {1}),
    ],
)
def test_an_outbox_makes_one_of_two_writes(
    cluster, topic, store, url, publisher, point, there, times
):
    """At whatever point it is killed: both say it or none does, once somebody relays again."""
    killed("outbox", point, url, cluster, topic)
    with Relay(store, publisher) as relay:
        wait_until(lambda: relay.step() == 0 and relay.active, 10, "It is never our turn.")
    assert waiting(store) == 0
    assert effects(store) == there
    records = records_of(cluster, topic)
    assert len(records) in times
    assert len({decode(record).event_id for record in records}) == there


def test_one_relay_is_at_work_and_the_other_stands_by(cluster, topic, store, url):
    """The second goes on where the first one ends."""
    with (
        OrderPublisher(cluster.bootstrap_servers, topic) as publisher,
        Store(url) as other_store,
        OrderPublisher(cluster.bootstrap_servers, topic) as other_publisher,
    ):
        first, second = Relay(store, publisher), Relay(other_store, other_publisher)
        with contextlib.ExitStack() as works:
            works.enter_context(running(first.run))
            wait_until(lambda: first.active, 10, "The first relay does not begin.")
            with running(second.run):
                events = fill(store, topic, 10)
                wait_until(lambda: waiting(store) == 0, 30, "Nobody relays.")
                assert (first.active, second.active) == (True, False)
                works.close()
                events += fill(store, topic, 10)
                wait_until(lambda: waiting(store) == 0, 30, "The second relay does not go on.")
                assert (first.active, second.active) == (False, True)
    assert in_kafka(cluster, topic) == by_key(events)
    assert len(records_of(cluster, topic)) == 20


def test_a_relay_waits_while_kafka_is_away(cluster, topic, store, publisher, caplog, monkeypatch):
    """It says so in the log, ends in time when it is told to, and goes on where it was."""
    monkeypatch.setattr("eventlab.orders.outbox.relay._ANSWERS", 0.3)
    publisher.publish(cancelled(0)).get()
    with contextlib.ExitStack() as cut:
        for node in cluster.brokers:
            cut.enter_context(faults.clients_cut(cluster, node))
        events = fill(store, topic, 20)
        with running(Relay(store, publisher).run):
            wait_until(lambda: len(told(caplog)) >= 2, 20, "The relay says nothing.")
    assert "The event of O-" in told(caplog)[0]
    assert waiting(store) == 20
    with running(Relay(store, publisher).run):
        wait_until(lambda: waiting(store) == 0, 30, lambda: f"{waiting(store)} still wait.")
    read = in_kafka(cluster, topic)
    assert {key: each[-4:] for key, each in read.items()} == by_key(events)


def told(caplog):
    """Return what the relay has logged."""
    return [r.getMessage() for r in caplog.records if r.name == "eventlab.orders.outbox.relay"]


def test_an_event_for_a_topic_that_there_is_not_waits_for_it(cluster, topic, store):
    """Those before it are moved; it is told by name, and sent when the topic is there."""
    with OrderPublisher(cluster.bootstrap_servers, topic, max_block_ms=300) as publisher:
        fill(store, topic, 3)
        fill(store, f"{topic}s", 1)
        with Relay(store, publisher) as relay:
            with refused(UnknownTopic, f"Did you mean {topic!r}?", within=5):
                relay.step()
            cluster.create_topic(f"{topic}s", partitions=1, fresh=True)
            wait_until(lambda: relay.step() == 0, 10, "The outbox is not empty.")
    assert (len(records_of(cluster, topic)), len(records_of(cluster, f"{topic}s"))) == (3, 1)
    cluster.delete_topic(f"{topic}s")
    assert waiting(store) == 0


def test_a_relay_that_has_ended_keeps_nothing_open(cluster, topic, url):
    with (
        nothing_kept_open(cluster),
        Store(url) as store,
        OrderPublisher(cluster.bootstrap_servers, topic) as publisher,
    ):
        fill(store, topic, 1)
        with running(Relay(store, publisher).run):
            wait_until(lambda: waiting(store) == 0, 30, "Nobody relays.")
