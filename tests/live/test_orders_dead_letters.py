"""What cannot be handled goes to the dead-letter topic, nothing else does, and comes back once."""

from __future__ import annotations

import gzip
import json

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from eventlab.errors import UnknownTopic
from eventlab.orders import OrderPaid, encode, letters
from eventlab.orders.store import Store
from eventlab.orders.subscriber import replay
from eventlab.waiting import wait_until
from tests.live.subscribed import (
    committed,
    handled,
    is_there,
    publish,
    records,
    running,
    send,
    wait_for,
)
from tests.unit.orders.inbox.arrivals import CUSTOMER, created, paid
from tests.unit.refusals import refused


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "shop.db") as store:
        yield store


@pytest.fixture
def dlt(cluster, topic):
    """The dead-letter topic, which the subscriber makes."""
    yield f"{topic}-dlt"
    if f"{topic}-dlt" in set(cluster.topics().topic):
        cluster.delete_topic(f"{topic}-dlt")


def changed(event, **fields):
    """Return the value of an event with other attributes."""
    return json.dumps({**json.loads(encode(event).value), **fields}).encode()


BAD = {
    "malformed": b"{",
    "binary": bytes(range(256)),
    "no value": None,
    "empty": b"",
    "unknown type": changed(created(), type="example.eventlab.order.forgotten"),
    "wrong version": changed(created(), specversion="0.3"),
    "wrong schema": changed(created(), dataschema="https://eventlab.example/schemas/order.x"),
    "name twice": b'{"specversion": "1.0", "specversion": "1.0"}',
    "deep": b"[" * 100_000,
    "zip bomb": b'{"a": "' + b"0" * 50_000_000 + b'"}',
    "compressed itself": gzip.compress(b"0" * 1_000_000),
    "another topic's table": changed(created(), data={"table": "orders; DROP TABLE orders"}),
}


def test_bad_records_are_put_aside_and_the_rest_is_handled(cluster, topic, dlt, store):
    """Each with its place and why; its bytes are as they were, and the consumer lives."""
    sent = {send(cluster, topic, value, headers=[("n", n.encode())]): n for n, value in BAD.items()}
    publish(cluster, topic, [CUSTOMER, created(), paid()])
    with running(cluster, topic, topic, store=store):
        wait_for(store, 3)
        dead = is_there(cluster, dlt, len(BAD))
    assert {letters.place(record): dict(record.headers)["n"].decode() for record in dead} == sent
    for record in dead:
        name = dict(record.headers)["n"].decode()
        assert record.value == BAD[name]
        assert (record.key, record.partition) == (b"O-1", letters.place(record)[0])
        told = [letters.text(record.headers, n) for n in (letters.TOPIC, letters.GROUP)]
        assert told == [topic, topic]
        assert letters.text(record.headers, letters.EXCEPTION).startswith("eventlab.orders.errors.")
    assert sum(committed(cluster, topic, topic).values()) == len(BAD) + 3
    assert len(records(cluster, dlt)) == len(BAD)


def test_a_letter_is_acknowledged_before_the_offset_is_committed(cluster, topic, dlt, store):
    """While no letter can be written, the offset stays; then it goes on, with nothing lost."""
    config = {"max.message.bytes": "1"}
    cluster.create_topic(dlt, partitions=3, fresh=True, configs=config)
    send(cluster, topic, b"{")
    publish(cluster, topic, [CUSTOMER])
    with running(cluster, topic, topic, store=store) as subscriber:
        wait_for(store, 1)
        wait_until(subscriber.consumer.paused, 30, "Nothing is paused.")
        assert sum(committed(cluster, topic, topic).values()) <= 1
        assert records(cluster, dlt) == []
        change = ConfigResource(ConfigResourceType.TOPIC, dlt, {"max.message.bytes": "1000000"})
        cluster.admin.alter_configs([change])
        is_there(cluster, dlt, 1)
    assert sum(committed(cluster, topic, topic).values()) == 2


def test_those_behind_a_dead_one_go_on(cluster, topic, dlt, store):
    """By default: what builds on it follows it, what does not is handled; a replay mends it."""
    lost = created("O-1")
    send(cluster, topic, b"no event", key=b"O-1")
    publish(cluster, topic, [CUSTOMER, paid("O-1"), created("O-2"), paid("O-2")])
    with running(cluster, topic, topic, store=store):
        wait_for(store, 3)
        is_there(cluster, dlt, 2)
        publish(cluster, topic, [lost])  # the cause is mended
        wait_for(store, 4)
        back = replay(cluster.bootstrap_servers, dlt, exception="StepNotAllowed", dry_run=False)
        assert back.replayed.tolist() == [False]
        wait_for(store, 5)
    found = replay(cluster.bootstrap_servers, dlt)
    assert sorted(found.replayed) == [False, True]
    assert handled(store) == 5


def test_parked_events_come_back_in_their_order(cluster, topic, dlt, store):
    """All of a key wait with the first of them; what fails again is counted, and sent once more."""
    story = [created("O-1"), paid("O-1")]
    with running(
        cluster, topic, topic, store=store, park=True, tries=2, backoff=0.05
    ) as subscriber:
        publish(cluster, topic, [*story, created("O-2")])  # of a customer who is not known
        is_there(cluster, dlt, 3)
        dry = replay(cluster.bootstrap_servers, dlt, key="O-1")
        names = [name.rpartition(".")[2] for name in dry.exception]
        assert (names, dry.attempts.tolist()) == (["NotYet", "KeyParked"], [1, 1])
        assert len(records(cluster, topic)) == 3  # a dry run sends nothing
        assert len(replay(cluster.bootstrap_servers, dlt, key="O-1", dry_run=False)) == 2
        is_there(cluster, dlt, 3 + 2 + 2)  # the marks of the replay, and both again
        publish(cluster, topic, [CUSTOMER])
        wait_for(store, 1)
        for _ in range(2):  # the second one finds nothing to do
            replay(cluster.bootstrap_servers, dlt, dry_run=False)
        wait_for(store, 4)
        assert subscriber.consumer.assignment()
    found = replay(cluster.bootstrap_servers, dlt)
    assert found.replayed.all()
    assert sorted(found.attempts) == [1, 1, 1, 2, 2]
    sent = [r for r in records(cluster, topic) if letters.attempts(r) > 1]
    assert len(sent) == 2 + 2 + 1
    own = [(r.key, r.value, letters.own(r)) for r in sent if r.key == b"O-1"][:2]
    assert own == [(e.key, e.value, e.headers) for e in map(encode, story)]


def test_letters_are_chosen_by_time_key_and_exception(cluster, topic, dlt, store):
    """Alone and together; a topic that is not there is named."""
    cluster.create_topic(dlt, partitions=1, fresh=True)  # with fewer partitions than the topic
    send(cluster, topic, b"{", key=b"A", partition=2)
    send(cluster, topic, b"[]", key=None)
    publish(cluster, topic, [paid("O-1")])
    with running(cluster, topic, topic, store=store):
        is_there(cluster, dlt, 3)
    servers = cluster.bootstrap_servers
    every = replay(servers, dlt)
    first, last = every.time.min(), every.time.max()
    assert replay(servers, dlt, key=b"A").key.tolist() == [b"A"]
    assert set(replay(servers, dlt, exception="DecodeError").key) == {b"A", None}
    assert replay(servers, dlt, key="A", exception="StepNotAllowed").empty
    assert len(replay(servers, dlt, since=first)) == 3
    assert replay(servers, dlt, until=first).empty
    assert len(replay(servers, dlt, since=last)) >= 1
    assert len(replay(servers, dlt, exception="DecodeError", dry_run=False)) == 2
    assert len(records(cluster, topic)) == 5
    with refused(UnknownTopic, "no-such-dlt", within=5):
        replay(servers, "no-such-dlt")


def test_a_registry_without_a_type_leaves_its_events_alone(cluster, topic, dlt, store):
    """They are no dead letters: nobody here wants them."""
    publish(cluster, topic, [paid("O-1"), CUSTOMER])
    seen = []
    with running(cluster, topic, topic, handler={type(CUSTOMER): seen.append}):
        total = lambda: sum(committed(cluster, topic, topic).values())  # noqa: E731
        wait_until(lambda: total() == 2, 30, lambda: f"{total()} are committed.")
    assert [type(event).__name__ for event in seen] == ["CustomerRegistered"]
    assert OrderPaid not in map(type, seen)
    assert dlt not in set(cluster.topics().topic)
