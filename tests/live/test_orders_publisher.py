"""Published events are in Kafka, or somebody is told which are not, in time and for each."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import defaultdict
from decimal import Decimal

import pytest
from kafka import KafkaProducer

from eventlab import faults, history
from eventlab.errors import NotSupported, UnknownTopic
from eventlab.orders import (
    CustomerRegistered,
    Item,
    OrderCancelled,
    OrderCreated,
    OrderPaid,
    decode,
    encode,
    sample_events,
)
from eventlab.orders.background import running
from eventlab.orders.publisher import (
    EventTooLarge,
    KafkaAway,
    NotDelivered,
    OrderPublisher,
    PublisherClosed,
    connect,
    pending,
)
from eventlab.orders.schedule import Schedule
from eventlab.waiting import wait_until
from tests.live.clients import nothing_kept_open, records_of
from tests.unit.refusals import refused

ITEMS = (Item("GRUMPY-TEAPOT", 2, Decimal("39.90")),)
QUICK = {"request_timeout_ms": 500, "delivery_timeout_ms": 700, "max_block_ms": 300}


@pytest.fixture(autouse=True)
def _nothing_is_kept_open(cluster):
    with nothing_kept_open(cluster):
        yield


@pytest.fixture
def opened(cluster, topic):
    """Make publishers to the topic of the test that are closed after it, whatever they hold."""
    with contextlib.ExitStack() as stack:

        def opened(**settings):
            publisher = OrderPublisher(cluster.bootstrap_servers, topic, **settings)
            stack.callback(given_up, publisher)
            return publisher

        yield opened


def given_up(publisher):
    with contextlib.suppress(NotDelivered):
        publisher.close(1)


@pytest.fixture
def publisher(opened):
    """A publisher to the topic of the test."""
    return opened()


@contextlib.contextmanager
def cut_off(cluster, refused=False):
    """Let no client reach any broker; the brokers are well, and are reached again at once."""
    with contextlib.ExitStack() as cut:
        for node in cluster.brokers:
            cut.enter_context(faults.clients_cut(cluster, node, refused=refused))
        yield


def events_of(cluster, topic):
    """Return the events of a topic by key, each key's in their order."""
    found = defaultdict(list)
    for record in records_of(cluster, topic):
        found[record.key.decode()].append(decode(record))
    return found


def cancelled(number=1):
    return OrderCancelled(f"O-{number}", "late")


def raising(after=0):
    """Give so many events, then raise."""
    yield from map(cancelled, range(after))
    raise RuntimeError("no more")


def publish_all(publisher, events):
    for event in events:
        publisher.publish(event)


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_what_is_published_is_what_is_read(cluster, topic, mode):
    """Byte for byte what `encode` returns, each at the place that its delivery says."""
    with OrderPublisher(cluster.bootstrap_servers, topic, mode=mode) as publisher:
        deliveries = [publisher.publish(event) for event in sample_events(50, seed=7)]
        places = [delivery.get() for delivery in deliveries]
    read = {
        (topic, record.partition, record.offset): record for record in records_of(cluster, topic)
    }
    assert len(read) == len(deliveries) > 50
    for delivery, place in zip(deliveries, places, strict=True):
        record, expected = read[place], encode(delivery.event, mode)
        assert (record.key, record.value, list(record.headers)) == expected
        assert decode(record) == delivery.event


def test_the_story_of_an_order_told_by_the_nine_methods(cluster, topic, publisher):
    """Each returns its delivery; an event that follows another one says so."""
    publisher.publish_customer_registered("C-1", "Ada", "GB")
    created = publisher.publish_order_created("O-1", "C-1", ITEMS, source="/web").event
    cause = {"correlation_id": created.event_id, "causation_id": created.event_id}
    paid = publisher.publish_order_paid("O-1", "P-1", Decimal("79.80"), "card", **cause)
    late = publisher.publish_order_cancelled("O-1", reason="late")
    publisher.flush()
    assert paid.done
    assert paid.event.causation_id == created.event_id
    story = events_of(cluster, topic)
    assert story["O-1"] == [created, paid.event, late.event]
    assert [type(event) for event in story["O-1"]] == [OrderCreated, OrderPaid, OrderCancelled]
    assert [type(event) for event in story["C-1"]] == [CustomerRegistered]


def test_a_topic_that_there_is_not_is_named_and_not_made(cluster, topic):
    """Kafka would wait for ten seconds, and make it where brokers are set up so."""
    before = list(cluster.topics()["topic"])
    with refused(UnknownTopic, f"Did you mean {topic!r}?", within=3):
        OrderPublisher(cluster.bootstrap_servers, topic + "s")
    assert list(cluster.topics()["topic"]) == before


def test_each_delivery_is_told(cluster, topic):
    """Once it is known, with its place; and before flush returns."""
    told = []
    with OrderPublisher(cluster.bootstrap_servers, topic, on_delivery=told.append) as publisher:
        deliveries = [publisher.publish(cancelled(number)) for number in range(200)]
        publisher.flush()
        assert {id(each) for each in told} == {id(each) for each in deliveries}
    assert len({each.get() for each in told}) == 200


@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(3)])
def test_a_callback_that_raises_harms_nobody(cluster, topic, caplog, error):
    """Its exception is in the log, with the id of the event; the thread that sends lives on."""

    def callback(delivery):
        raise error

    with OrderPublisher(cluster.bootstrap_servers, topic, on_delivery=callback) as publisher:
        first = publisher.publish(cancelled())
        assert first.get(30).topic == topic
        assert publisher.publish(cancelled()).get(30).offset == 1
    logged = [r for r in caplog.records if r.name.startswith("eventlab.orders.publisher")]
    assert len(logged) == 2
    assert first.event.event_id in logged[0].getMessage()
    assert logged[0].exc_info[1] is error


def test_a_callback_cannot_wait_for_its_own_thread(cluster, topic, caplog):
    """It would wait until its deadline, and nothing would be sent meanwhile."""
    waits = []

    def callback(delivery):
        waits.append(delivery)
        publisher.close() if len(waits) == 2 else publisher.flush()

    with OrderPublisher(cluster.bootstrap_servers, topic, on_delivery=callback) as publisher:
        for _ in range(2):
            publisher.publish(cancelled()).get(30)
        publisher.flush()
    raised = [r.exc_info[1] for r in caplog.records if r.exc_info and "on_delivery" in r.msg]
    assert [type(each) for each in raised] == [NotSupported, NotSupported]


def test_fifty_threads_publish_at_once(cluster, topic):
    """Nothing is lost, each thread's events are in its order, and the judge agrees."""
    run = history.record("fifty")
    with OrderPublisher(cluster.bootstrap_servers, topic) as publisher:
        assert run.producer(publisher.producer) is publisher.producer

        def publish(thread):
            for number in range(40):
                publisher.publish(OrderCancelled(f"O-{thread}", str(number)))

        threads = [threading.Thread(target=publish, args=(n,)) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        publisher.flush()
        assert len(run.sends()) == 2000
    read = events_of(cluster, topic)
    assert len(read) == 50
    for story in read.values():
        assert [event.reason for event in story] == [str(number) for number in range(40)]
    verdict = run.verify()
    assert verdict.valid, verdict.table


def test_a_closed_publisher_sends_nothing(cluster, topic):
    publisher = OrderPublisher(cluster.bootstrap_servers, topic)
    delivery = publisher.publish(cancelled())
    publisher.close()
    publisher.close()
    assert delivery.done
    with refused(PublisherClosed, "OrderPublisher(...)"):
        publisher.publish(cancelled())
    with refused(PublisherClosed):
        publisher.flush()
    assert "closed" in repr(publisher)
    assert len(records_of(cluster, topic)) == 1


def test_a_forked_process_makes_its_own(cluster, topic, publisher):
    """What is forked has no thread that would send: an event would wait for ever."""
    publisher.publish(cancelled()).get()

    def in_child():
        try:
            publisher.publish(cancelled())
        except PublisherClosed as error:
            publisher.close()
            return str(error)
        return "published"

    told = forked(in_child)
    assert f"It belongs to process {os.getpid()}" in told
    assert publisher.publish(cancelled()).get().offset == 1


def forked(act):
    """Return what `act` returns in a child process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.write(writing, act().encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        text = told.read()
    os.waitpid(child, 0)
    return text


def test_an_event_that_is_too_large_is_told_with_both_sizes(cluster, topic):
    """By the producer at once; others are not harmed."""
    event = OrderCreated("O-1", "C-1", ITEMS * 100)
    with OrderPublisher(cluster.bootstrap_servers, topic, max_request_size=5000) as publisher:
        with refused(EventTooLarge, "more than 5,000"):
            publisher.publish(event)
        publisher.publish(cancelled()).get()
    assert len(records_of(cluster, topic)) == 1


def test_a_topic_that_takes_less_tells_so_for_the_one_event(cluster, topic):
    """The broker refuses a batch; the events that fit in it are delivered all the same."""
    name = f"{topic}-small"
    cluster.create_topic(name, partitions=1, fresh=True, configs={"max.message.bytes": "2000"})
    with OrderPublisher(cluster.bootstrap_servers, name, linger_ms=50) as publisher:
        small = [publisher.publish(cancelled(number)) for number in range(3)]
        large = publisher.publish(OrderCreated("O-1", "C-1", ITEMS * 100))
        with refused(EventTooLarge, "max.message.bytes", within=30):
            large.get()
        assert [each.get().partition for each in small] == [0, 0, 0]
        later = [publisher.publish(cancelled(number)) for number in range(30)]
        assert [each.get().partition for each in later] == [0] * 30
    cluster.delete_topic(name)


def test_a_producer_that_ends_by_itself_meanwhile_is_ended(cluster, monkeypatch):
    """Its thread was alive a moment ago, and its network is closed."""
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers)
    producer.close(10)
    alive = iter([True])
    monkeypatch.setattr(producer._sender, "is_alive", lambda: next(alive, False))
    connect.end(producer, 1)


def test_a_topic_that_is_deleted_meanwhile_is_told(cluster, topic):
    name = f"{topic}-gone"
    cluster.create_topic(name, partitions=1, fresh=True)
    with OrderPublisher(cluster.bootstrap_servers, name, **QUICK) as publisher:
        publisher.publish(cancelled()).get()
        cluster.delete_topic(name)

        def told():
            try:
                publisher.publish(cancelled()).get(10)
            except UnknownTopic:
                return True
            except NotDelivered:
                return False
            return False

        wait_until(told, 30, "Nobody said that the topic is gone.")


@pytest.mark.parametrize("refuses", [False, True], ids=["silent", "refused"])
def test_while_kafka_is_away_everything_ends_in_time_and_says_so(cluster, opened, refuses):
    """What is not known to be there is counted and named; no thread is left of the publisher."""
    publisher = opened()
    publisher.publish(cancelled()).get()
    with cut_off(cluster, refuses):
        deliveries = [publisher.publish(cancelled(number)) for number in range(30)]
        with refused(NotDelivered, "0.2 s", within=1):
            deliveries[0].get(0.2)
        with refused(NotDelivered, "30 events", "still on the way", within=2) as flushed:
            publisher.flush(0.5)
        assert (flushed.value.number, len(flushed.value.events)) == (30, 20)
        assert flushed.value.events[0] == deliveries[0].event
        with refused(NotDelivered, "30 events", within=5) as closed:
            publisher.close(0.5)
        assert closed.value.number == 30
        assert not publisher.producer._sender.is_alive()
        assert all(delivery.failed for delivery in deliveries)
        with refused(NotDelivered, "closed"):
            deliveries[-1].get()


def test_a_delivery_that_fails_is_told_once(cluster, opened):
    """By `get`, else by the next flush; and what has failed is no reason to fail again."""
    publisher = opened(linger_ms=50, **QUICK)
    publisher.publish(cancelled()).get()
    with cut_off(cluster):
        one, two = publisher.publish(cancelled()), publisher.publish(cancelled())  # in one batch
        with refused(NotDelivered, "OrderCancelled of O-1", within=20):
            one.get()
        with refused(NotDelivered, "1 event is", "1 failed", within=20) as caught:
            publisher.flush()
        assert caught.value.events == (two.event,)
        publisher.flush()
    publisher.close()


def test_a_publisher_without_a_producer_id_can_be_closed(cluster, opened):
    """kafka-python never lets records expire then, and its close() would hang."""
    publisher = opened(**QUICK)
    publisher.publish(cancelled()).get()
    with cut_off(cluster):
        lost = publisher.publish(cancelled())
        wait_until(lambda: lost.done, 20, "The first event did not expire.")
        late = publisher.publish(cancelled())
        with refused(NotDelivered, within=8):
            publisher.close(1)
        assert late.failed
        assert not publisher.producer._sender.is_alive()


def test_events_do_not_pile_up_without_end(cluster, opened, monkeypatch):
    """kafka-python 3 has no buffer.memory: with nobody to send to, a publisher would eat it all."""
    monkeypatch.setattr(pending, "MOST", 100)
    publisher = opened(max_block_ms=300)
    publisher.publish(cancelled()).get()
    with cut_off(cluster):
        with refused(KafkaAway, "100 wait", within=3):
            for number in range(200):
                publisher.publish(cancelled(number))
        with pytest.raises(NotDelivered) as caught:
            publisher.close(0.2)
        assert caught.value.number == 100


def test_events_that_had_to_wait_are_sent_when_kafka_is_back(cluster, topic):
    with OrderPublisher(cluster.bootstrap_servers, topic) as publisher:
        publisher.publish(cancelled()).get()
        with cut_off(cluster):
            waiting = [publisher.publish(cancelled(number)) for number in range(100)]
            with pytest.raises(NotDelivered):
                publisher.flush(1)
        publisher.flush()
        assert all(delivery.get(1) for delivery in waiting)
    assert len(records_of(cluster, topic)) == 101


def test_a_source_that_raises_midway_leaves_what_it_gave(cluster, topic):
    """Its error is the one that is seen; what was published before is in Kafka."""
    publisher = OrderPublisher(cluster.bootstrap_servers, topic)
    with pytest.raises(RuntimeError) as caught, publisher:
        publish_all(publisher, raising(5))
    assert not hasattr(caught.value, "__notes__")
    assert len(records_of(cluster, topic)) == 5


def test_an_error_of_the_block_is_not_hidden_by_what_is_lost(cluster, topic, monkeypatch):
    """It carries a note of it."""
    monkeypatch.setattr(OrderPublisher.close, "__defaults__", (0.2,))
    publisher = OrderPublisher(cluster.bootstrap_servers, topic)
    publisher.publish(cancelled()).get()
    with cut_off(cluster), pytest.raises(RuntimeError) as caught, publisher:
        publish_all(publisher, raising(1))
    assert "1 event is not known to be in Kafka." in caught.value.__notes__[0]


def test_a_schedule_publishes(cluster, topic, publisher):
    """One event a tick, until its block ends."""
    numbers = iter(range(1000))
    schedule = Schedule(0.02, lambda: publisher.publish(cancelled(next(numbers))))
    with running(schedule.run):
        wait_until(lambda: schedule.done >= 5, 10, "The schedule stands still.")
    publisher.flush()
    assert len(records_of(cluster, topic)) == schedule.done
    assert schedule.failed == 0
