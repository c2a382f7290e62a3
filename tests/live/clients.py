"""What live tests do with records: send and read, bounded, with every client closed."""

from __future__ import annotations

import gc
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from eventlab import Cluster
from eventlab.errors import NeverHappened
from eventlab.waiting import Deadline, wait_until


def produce(
    cluster: Cluster | str, topic: str, count: int, start: int = 0, **config: Any
) -> list[tuple[int, int]]:
    """Send `count` numbered records with acks=all; return (partition, offset) of each ack."""
    servers = cluster if isinstance(cluster, str) else cluster.bootstrap_servers
    with KafkaProducer(bootstrap_servers=servers, acks="all", **config) as producer:
        sent = [
            producer.send(topic, key=b"%d" % number, value=b"%d" % number)
            for number in range(start, start + count)
        ]
        acks = [future.get(timeout=30) for future in sent]
    return [(ack.partition, ack.offset) for ack in acks]


def read_all(cluster: Cluster, topic: str) -> list[int]:
    """Return the numbers of all records up to the end offsets of now, sorted."""
    return sorted(int(record.value) for record in records_of(cluster, topic))


def records_of(cluster: Cluster, topic: str) -> list[Any]:
    """Return all records up to the end offsets of now, those of a partition in their order."""
    with KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers) as consumer:
        parts = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends = consumer.end_offsets(parts)
        read: list[Any] = []
        deadline = Deadline(60)
        while any(consumer.position(part) < ends[part] for part in parts):
            assert deadline.left, f"{len(read)} records were read, not all up to {ends}"
            for records in consumer.poll(timeout_ms=1000).values():
                read += records
    return read


def member(cluster: Cluster, group: str, *topics: str, **config: Any) -> KafkaConsumer:
    """Return a consumer that has joined a group and been given partitions; who asks closes it."""
    consumer = KafkaConsumer(
        *topics,
        bootstrap_servers=cluster.bootstrap_servers,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=6000,
        max_poll_records=1,
        **config,
    )
    try:
        joined = lambda: consumer.poll(1000) or consumer.assignment()  # noqa: E731
        wait_until(joined, 30, f"{group} was not joined.")
    except NeverHappened:
        consumer.close()
        raise
    return consumer


@contextmanager
def nothing_kept_open(cluster: Cluster) -> Iterator[None]:
    """Fail when a thread or a connection that was opened in the block outlives it.

    The admin client of the cluster, which others share, is closed: it opens when it is asked.
    What was open before may end meanwhile: clients close connections that are idle.
    """

    def open_ends() -> Counter[Any]:
        cluster._admin.close()
        gc.collect()  # kafka-python 3.0.12 leaves a socket that did not connect to the collector
        connections = psutil.Process().net_connections(kind="tcp")
        ends = [(each.fd, each.laddr, each.raddr) for each in connections]
        return Counter([*(thread.name for thread in threading.enumerate()), *ends])

    before = open_ends()
    yield
    wait_until(lambda: open_ends() <= before, 5, lambda: f"{open_ends() - before} is left.")
