"""What observation costs, and how fast records become a table.

Compared: the same loop of kafka-python sends its records with two watches at one look a second,
of the lag of 30 groups on 12 partitions each and of all 360 partitions, and without them. And
`observe.records` makes a table of a million records of 100 bytes; a loop of `KafkaConsumer.poll`
with its own settings only counts the same ones.
Fair: sides take turns in one process on one cluster, so that the watches share the interpreter
with the loop as they do in a notebook; both readers connect, read all partitions from their start
to their end, check the CRC of each batch, and close. CPU is that of this process while it does
nothing but watch.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import time
from collections.abc import Iterator

import figures
from figures import Figure, Numbers
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from eventlab import observe
from eventlab.cluster import launch, ready, topics
from eventlab.errors import StartFailed
from eventlab.observe.client import Client
from eventlab.waiting import Deadline, wait_until

GROUPS, PARTITIONS = 30, 12
RECORDS, SENT = 1_000_000, 50_000
VALUE = b"x" * 100
LOOKS = 20
WINDOW = 10.0  # seconds


def measure(runs: int) -> list[Figure]:
    launch.requirements()
    with figures.cluster() as state:
        servers = state["bootstrap_servers"]
        fill(servers)
        seen = figures.interleaved(
            runs,
            plain=lambda: send(servers, SENT),
            watched=lambda: watched(servers),
            looks=lambda: looks(servers),
            counted=lambda: count(servers),
            table=lambda: table(servers),
        )
    plain, counted = (figures.median(seen[side], "s") for side in ("plain", "counted"))
    sample, cpu = (figures.median(seen["looks"], name) for name in ("ms", "cpu"))
    return [
        Figure(f"the lag of {GROUPS} groups x {PARTITIONS} partitions, one look", sample, "ms", 20),
        Figure("CPU of two watches, one look a second each", cpu, "% of a core", 3),
        Figure(
            f"{SENT:,} records sent with both watches, against without",
            figures.median(seen["watched"], "s"),
            "s",
            1.02,
            plain,
        ),
        Figure(
            f"records() of {RECORDS:,} x {len(VALUE)} B, against a poll loop that counts",
            figures.median(seen["table"], "s"),
            "s",
            1 / 0.9,
            counted,
        ),
        Figure("records read", RECORDS / counted if counted else None, "records/s, counted"),
    ]


def fill(servers: str) -> None:
    """Make the topics, the groups with a commit on each partition, and the records to be read."""
    deadline = Deadline(300)
    admin = ready.admin_client(servers, deadline)
    names = [f"group-{number:02}" for number in range(GROUPS)]
    shape = {"num_partitions": PARTITIONS, "replication_factor": 3}
    wide = {"num_partitions": 3, "replication_factor": 3}
    try:
        admin.create_topics(dict.fromkeys(names, shape) | {"sent": wide, "read": wide})
        for name in [*names, "sent", "read"]:
            topics.await_leaders(admin, name, range(1, 4))
    finally:
        admin.close()
    for name in names:
        commit(servers, name)
    send(servers, RECORDS, "read")


def commit(servers: str, name: str) -> None:
    """Commit an offset for each partition of the topic of this name, in a group of this name."""
    places = [TopicPartition(name, number) for number in range(PARTITIONS)]
    with KafkaConsumer(bootstrap_servers=servers, group_id=name) as consumer:
        consumer.assign(places)
        consumer.commit(dict.fromkeys(places, OffsetAndMetadata(0, "", -1)))


def send(servers: str, count: int, topic: str = "sent") -> Numbers:
    """Send records; return the seconds until the last one is acknowledged."""
    failures: list[BaseException] = []
    begun = time.monotonic()
    with KafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=5) as producer:
        for number in range(count):
            sent = producer.send(topic, VALUE, partition=number % 3)
            if number % 10_000 == 0:  # a sample: a million callbacks would be measured as well
                sent.add_errback(failures.append)
        producer.flush(timeout=Deadline(300).left)
    if failures:
        raise StartFailed("Records were not acknowledged.", str(failures[0]), "Look at the logs.")
    return {"s": time.monotonic() - begun}


@contextlib.contextmanager
def watches(servers: str) -> Iterator[observe.watching.Watch]:
    """Watch lag and partitions, one look a second each."""
    with (
        observe.watch(servers, observe.lag, every=1.0) as lag,
        observe.watch(servers, observe.partitions, every=1.0),
    ):
        yield lag


def watched(servers: str) -> Numbers:
    """Send as without them, and see that they saw it."""
    with watches(servers) as lag:
        numbers = send(servers, SENT)
    rows = lag.frame().groupby("time").size()
    assert (rows == GROUPS * PARTITIONS).all(), rows
    return numbers


def looks(servers: str) -> Numbers:
    """Return the milliseconds of one look of many, and the CPU of watching."""
    client = Client(servers)
    try:
        seconds = [look(client) for _ in range(LOOKS + 1)][1:]  # the first one connects
    finally:
        client.close()
    with watches(servers):
        begun, used = time.monotonic(), figures.cpu_seconds([os.getpid()])
        wait_until(lambda: time.monotonic() - begun >= WINDOW, 2 * WINDOW, "Time stood.", every=1)
        cpu = (figures.cpu_seconds([os.getpid()]) - used) / (time.monotonic() - begun)
    return {"ms": 1000 * statistics.median(seconds), "cpu": 100 * cpu}


def look(client: Client) -> float:
    """Look once at the lag of all groups; return the seconds."""
    begun = time.monotonic()
    rows = len(observe.lag(client))
    assert rows == GROUPS * PARTITIONS, rows
    return time.monotonic() - begun


def count(servers: str) -> Numbers:
    """Count the records by polling."""
    places = [TopicPartition("read", number) for number in range(3)]
    begun, read = time.monotonic(), 0
    with KafkaConsumer(bootstrap_servers=servers) as consumer:
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        there = sum(consumer.end_offsets(places).values())
        while read < there:
            read += sum(map(len, consumer.poll(timeout_ms=500).values()))
    assert read == RECORDS, read
    return {"s": time.monotonic() - begun}


def table(servers: str) -> Numbers:
    """Make a table of the records."""
    begun = time.monotonic()
    rows = len(observe.records(servers, "read", limit=RECORDS, within=300))
    assert rows == RECORDS, rows
    return {"s": time.monotonic() - begun}


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, measure, runs=5))
