"""Reading a topic, or some of its records, of which few are in memory at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from eventlab.cluster.clients import connected
from eventlab.errors import NeverHappened, shown
from eventlab.orders.publisher.connect import away, find_topics
from eventlab.waiting import Deadline

CHUNK = 500  # records that are kept at a time

Place = tuple[int, int]  # partition, offset


@contextmanager
def reading(address: dict[str, Any], topic: str) -> Iterator[Any]:
    """Give a consumer of a topic that is there; it sees nothing of a transaction without an end."""
    try:
        find_topics(address["bootstrap_servers"], address, topic)
        consumer = connected(KafkaConsumer, isolation_level="read_committed", **address)
        try:
            yield consumer
        finally:
            consumer.close()
    except KafkaError as error:
        raise away(address["bootstrap_servers"], error) from None


def read(consumer: Any, topic: str, deadline: Deadline) -> Iterator[Any]:
    """Yield all records of a topic up to now."""
    parts = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
    begins, ends = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
    yield from _between(consumer, begins, ends, deadline)


def _between(
    consumer: Any,
    begins: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    deadline: Deadline,
) -> Iterator[Any]:
    """Yield the records of partitions from an offset on, up to another one."""
    consumer.assign(list(begins))
    for part, begin in begins.items():
        consumer.seek(part, begin)
    while any(consumer.position(part) < ends[part] for part in begins):
        if not deadline.left:
            [topic] = {part.topic for part in begins}
            raise NeverHappened(
                f"{topic} was not read to its end.",
                f"It was read for {deadline.seconds:.0f} seconds, up to {shown(dict(ends))}.",
                "Pass a longer within=, in seconds.",
            )
        for records in consumer.poll(timeout_ms=200).values():
            yield from records


def at(consumer: Any, topic: str, places: Iterable[Place], deadline: Deadline) -> Iterator[Any]:
    """Yield the records of a topic at these places, in this order.

    It is quick where those of a partition are in the order of their offsets.
    """
    rest = iter(places)
    while chunk := dict.fromkeys(islice(rest, CHUNK)):
        begins: dict[TopicPartition, int] = {}
        ends: dict[TopicPartition, int] = {}
        for partition, offset in chunk:
            part = TopicPartition(topic, partition)
            begins[part] = min(begins.get(part, offset), offset)
            ends[part] = max(ends.get(part, 0), offset + 1)
        read = _between(consumer, begins, ends, deadline)
        found = {place_of(record): record for record in read if place_of(record) in chunk}
        if len(found) < len(chunk):
            raise _gone(topic, chunk.keys() - found.keys())
        yield from map(found.__getitem__, chunk)


def place_of(record: Any) -> Place:
    """Return partition and offset of a record."""
    return record.partition, record.offset


def _gone(topic: str, places: Collection[Place]) -> NeverHappened:
    return NeverHappened(
        f"Records of {topic} are gone while they were read.",
        f"{len(places)} are missing, the first at partition and offset {min(places)}.",
        "Nothing was sent; begin again with what is left.",
    )
