"""How much memory a subscriber takes on for a backlog of a million events.

Measured: the events of sample orders are in a topic of three partitions; a subscriber in a process
of its own handles them all into a SQLite file. Told is how far its resident memory at the end, and
at most, is above that after its first 20,000 events, in MB (10**6 bytes).
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import figures
import psutil
from confluent_kafka import Producer
from figures import Figure, Numbers

from eventlab.cluster import launch
from eventlab.orders import encode, topics
from eventlab.orders.asyncapi import TOPICS
from eventlab.orders.processes.sample import happenings, topic_of
from eventlab.orders.store import Store
from eventlab.orders.subscriber import OrderSubscriber

ORDERS = 256_000  # about four events each
WARM = 20_000
MOST = 64  # MB
SPAWN = multiprocessing.get_context("spawn")


def measure(runs: int) -> list[Figure]:
    launch.requirements()
    with figures.cluster() as state:
        servers = state["bootstrap_servers"]
        topics.make(servers)
        count = _fill(servers)
        seen = figures.interleaved(runs, subscriber=lambda: _run(servers, count))
    told = {name: figures.median(seen["subscriber"], name) for name in ("end", "most", "rate")}
    return [
        Figure(f"resident memory more after {count:,} events", told["end"], "MB", MOST),
        Figure("at most, on the way", told["most"], "MB", MOST),
        Figure("events handled", told["rate"], "events/s"),
    ]


def _fill(servers: str) -> int:
    """Send the events with librdkafka, which is quick: how they got there is not measured."""
    producer, count = Producer({"bootstrap.servers": servers, "linger.ms": 20}), 0
    for event in happenings(ORDERS):
        count += 1
        record = encode(event)
        while True:
            try:
                producer.produce(
                    topic_of(event), record.value, record.key, headers=list(record.headers)
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    producer.flush(120)
    figures.tell(f"{count:,} events are in the topics")
    return count


def _run(servers: str, count: int) -> Numbers:
    ours, its = SPAWN.Pipe()
    process = SPAWN.Process(target=_subscribe, args=(its, servers, count))
    process.start()
    try:
        told: Numbers = ours.recv()
        return told
    finally:
        process.join(60)


def _subscribe(parent: Any, servers: str, count: int) -> None:
    group, memory = f"backlog-{time.time_ns()}", psutil.Process().memory_info
    warm = most = 0

    def over() -> bool:
        nonlocal warm, most
        if subscriber.done >= WARM:
            warm = warm or memory().rss
            most = max(most, memory().rss)
        return subscriber.done >= count

    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder) / "shop.db") as store,
        OrderSubscriber(servers, group, sorted(TOPICS.values()), store=store) as subscriber,
    ):
        begun = time.monotonic()
        subscriber.run(over)
        seconds = time.monotonic() - begun
        grown = {"end": (memory().rss - warm) / 1e6, "most": (most - warm) / 1e6}
    parent.send({**grown, "rate": count / seconds})


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, measure, runs=1))
