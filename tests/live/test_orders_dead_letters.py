"""What cannot be handled goes to the dead-letter topic, nothing else does, and comes back once."""

from __future__ import annotations

import signal
from struct import pack

import pytest
from kafka.admin import ConfigResource, ConfigResourceType
from sqlalchemy import select

from eventlab.errors import UnknownTopic
from eventlab.orders import OrderPaid, encode, letters
from eventlab.orders.store import Store
from eventlab.orders.store.schema import processed_events
from eventlab.orders.subscriber import replay
from eventlab.orders.subscriber.replay import unsent
from eventlab.waiting import wait_until
from tests.live import killed
from tests.live.poison import BAD
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


def test_nothing_is_handled_of_a_replay_that_is_killed(cluster, topic, dlt, store):
    """Its records are in the log, of a transaction without an end; the next replay ends it."""
    early = created("O-1")  # its customer is not known
    publish(cluster, topic, [early], partition=0)
    with running(cluster, topic, topic, store=store, tries=1):
        is_there(cluster, dlt, 1)
    child = killed.FORKS.Process(target=killed.replay, args=(cluster.bootstrap_servers, dlt))
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    sent = [r for r in records(cluster, topic) if letters.attempts(r) > 1]
    publish(cluster, topic, [CUSTOMER], partition=(sent[0].partition + 1) % 3)
    with running(cluster, topic, topic, store=store):
        wait_for(store, 1)
        assert replay(cluster.bootstrap_servers, dlt, dry_run=False).replayed.tolist() == [False]
        wait_for(store, 2)
    places = store.read(select(processed_events.c.event_id, processed_events.c.offset))
    [offset] = places[places.event_id.str.startswith(early.event_id)].offset
    assert offset == sent[0].offset + 2  # behind the one that was aborted, and what says so


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


def a_letter(topic, *place):
    """Return the headers of a letter from this topic, and from this partition and offset if any."""
    told = [(letters.TOPIC, topic.encode())]
    if place:
        kinds = ((letters.PARTITION, ">i"), (letters.OFFSET, ">q"))
        told += [(name, pack(kind, n)) for (name, kind), n in zip(kinds, place, strict=True)]
    return told


def test_many_letters_go_back_in_their_order_some_at_a_time(cluster, topic, dlt, monkeypatch):
    """They are read again in parts; one of another program, with less in its headers, as well."""
    monkeypatch.setattr("eventlab.orders.subscriber.log.CHUNK", 2)
    cluster.create_topic(dlt, partitions=3, fresh=True)
    for number in (4, 0, 3, 1, 2):
        value = str(number).encode()
        send(cluster, dlt, value, headers=a_letter(topic, 1, number), partition=number % 2)
    send(cluster, dlt, b"5", headers=a_letter(topic), partition=2)
    servers = cluster.bootstrap_servers
    assert unsent(servers, dlt) == 6
    assert len(replay(servers, dlt, dry_run=False)) == 6
    assert [r.value for r in records(cluster, topic)] == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert unsent(servers, dlt) == 0
    assert replay(servers, dlt, dry_run=False).replayed.all()
    assert len(records(cluster, topic)) == 6


def test_a_letter_of_a_topic_that_is_gone_sends_nothing_back(cluster, topic, dlt):
    """It is named at once, and no topic is made of it."""
    cluster.create_topic(dlt, partitions=1, fresh=True)
    send(cluster, dlt, b"{}", headers=a_letter(topic, 0, 0))
    send(cluster, dlt, b"{}", headers=a_letter("no-such-home", 0, 0))
    with refused(UnknownTopic, "no-such-home", within=5):
        replay(cluster.bootstrap_servers, dlt, dry_run=False)
    assert records(cluster, topic) == []
    assert unsent(cluster.bootstrap_servers, dlt) == 2


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
