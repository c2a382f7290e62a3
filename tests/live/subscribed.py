"""What live tests of subscribers share: events in a topic, a subscriber in a thread, its tables."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from sqlalchemy import func, select

from eventlab.orders import CustomerRegistered, OrderCreated, encode, fold, sample_events
from eventlab.orders.store.sales import find_sale
from eventlab.orders.store.schema import processed_events
from eventlab.orders.subscriber import OrderSubscriber
from eventlab.waiting import Deadline, wait_until

QUICK = {"session_timeout_ms": 6_000, "heartbeat_interval_ms": 500}


def story(orders):
    """Return what happened to so many sample orders, their customers' registrations before it."""
    events = list(sample_events(orders))
    known = {event.customer_id: event.time for event in events if isinstance(event, OrderCreated)}
    first = events[0].time
    return [*(CustomerRegistered(c, "Ada", "GB", time=first) for c in known), *events]


def publish(cluster, topic, events, run=None, **more):
    """Send events, keyed by entity; return when all are acknowledged; `run` records it."""
    with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, linger_ms=5) as producer:
        if run:
            run.producer(producer)
        futures = [producer.send(topic, **encode(event)._asdict(), **more) for event in events]
        for future in futures:
            future.get(timeout=30)


def send(cluster, topic, value, key=b"O-1", **more):
    """Send a record of any bytes; return its partition and offset."""
    config = {"compression_type": "gzip", "max_request_size": 1 << 28}
    with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, **config) as producer:
        told = producer.send(topic, value, key, **more).get(timeout=30)
    return told.partition, told.offset


@contextmanager
def running(cluster, group, topics, run=None, **more) -> Iterator[OrderSubscriber]:
    """Run a subscriber in a thread of its own; it is ended in order, and an error of it is told."""
    errors = []
    with OrderSubscriber(cluster.bootstrap_servers, group, topics, **{**QUICK, **more}) as made:
        if run:
            run.consumer(made.consumer)

        def runs():
            try:
                made.run()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=runs)
        thread.start()
        try:
            yield made
        finally:
            made.stop()
            thread.join(30)
            assert not thread.is_alive()
    if errors:
        raise errors[0]


def handled(store):
    """Return how many events have had their effect."""
    return int(store.read(select(func.count()).select_from(processed_events)).iloc[0, 0])


def wait_for(store, count, within=45):
    """Return when so many events have had their effect."""
    wait_until(lambda: handled(store) >= count, within, lambda: f"{handled(store)} of {count}.")


def committed(cluster, group, topic):
    """Return the offset that a group has committed in each partition of a topic."""
    with KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers, group_id=group) as consumer:
        parts = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        return {part.partition: consumer.committed(part) or 0 for part in parts}


def records(cluster, topic):
    """Return all records of a topic, by partition and offset."""
    found = []
    with KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers) as consumer:
        parts = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
        if not parts:
            return []
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends, deadline = consumer.end_offsets(parts), Deadline(30)
        while any(consumer.position(part) < ends[part] for part in parts):
            assert deadline.left
            found += [r for some in consumer.poll(timeout_ms=500).values() for r in some]
    return sorted(found, key=lambda record: (record.partition, record.offset))


def is_there(cluster, topic, count, within=30):
    """Return the records of a topic when there are so many."""
    seen = []

    def look():
        seen[:] = records(cluster, topic)
        return len(seen) >= count

    wait_until(look, within, lambda: f"{len(seen)} of {count} are in {topic}.")
    return seen


def assert_told(store, events):
    """Check that the tables say what the domain says of these events."""
    lines = {}
    for event in events:
        if hasattr(event, "order_id"):
            lines.setdefault(event.order_id, []).append(event)
    with store.transaction() as db:
        for order_id, told in lines.items():
            assert find_sale(db, order_id) == fold(told)
