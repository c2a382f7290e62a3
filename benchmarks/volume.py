"""A million records of 100 bytes through three replicas: throughput, and do four small JVMs live.

Measured: kafka-python with acks=all sends them to a topic of three partitions, RF 3, min ISR 2.
Memory before and after tells what the load leaves behind; the nodes have to be the same processes
afterwards, none of them restarted, none of them out of memory.
Throughput is that of kafka-python and the cluster together on one machine, so it has no goal.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import figures
from figures import Figure, Numbers
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from eventlab.cluster import launch, process, registry
from eventlab.errors import StartFailed
from eventlab.waiting import Deadline

RECORDS = 1_000_000
VALUE = b"x" * 100
PARTITIONS = 3


def measure(runs: int) -> list[Figure]:
    launch.requirements()
    seen = figures.interleaved(runs, volume=volume_run)["volume"]

    def after_against_before(what: str, name: str) -> Figure:
        before, after = (figures.median(seen, f"{name} {when}") for when in ("before", "after"))
        return Figure(f"{what} of 1 + 3 nodes, after against before", after, "MB", None, before)

    return [
        Figure("records acknowledged, acks=all, RF 3", figures.median(seen, "rate"), "records/s"),
        Figure("records missing afterwards", figures.most(seen, "missing"), "records", 0),
        Figure("nodes lost", figures.most(seen, "lost"), "nodes", 0),
        Figure("nodes out of memory", figures.most(seen, "out of memory"), "nodes", 0),
        after_against_before("RSS", "rss"),
        after_against_before("PSS", "pss"),
    ]


def volume_run() -> Numbers:
    """Start a cluster, fill a topic, look at the nodes before and after."""
    with figures.cluster() as state:
        figures.create_topic(state["bootstrap_servers"], "volume", replicas=3)
        pids = figures.pids(state)
        before = figures.memory(pids)
        seconds = send_all(state["bootstrap_servers"])
        return {
            "rate": RECORDS / seconds,
            "missing": RECORDS - count(state["bootstrap_servers"]),
            "lost": len(pids) - figures.alive(pids),
            "out of memory": out_of_memory(state),
            **{f"{name} before": value for name, value in before.items()},
            **{f"{name} after": value for name, value in _memory(pids).items()},
        }


def _memory(pids: list[int]) -> Numbers:
    return figures.memory(pids) if figures.alive(pids) == len(pids) else {}


def send_all(bootstrap_servers: str) -> float:
    """Send all records; return the seconds until the last one is acknowledged."""
    deadline = Deadline(300)
    failures: list[BaseException] = []
    begun = time.monotonic()
    with KafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", linger_ms=5) as producer:
        for number in range(RECORDS):
            sent = producer.send("volume", VALUE, partition=number % PARTITIONS)
            if number % 10_000 == 0:  # a sample: a million callbacks would be measured as well
                sent.add_errback(failures.append)
        producer.flush(timeout=deadline.left)
    if failures:
        raise StartFailed("Records were not acknowledged.", str(failures[0]), "Look at the logs.")
    return time.monotonic() - begun


def count(bootstrap_servers: str) -> int:
    """Return how many records the topic holds."""
    partitions = [TopicPartition("volume", number) for number in range(PARTITIONS)]
    with KafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
        return sum(consumer.end_offsets(partitions).values())


def out_of_memory(state: dict[str, Any]) -> int:
    """Return how many nodes' logs tell of an OutOfMemoryError."""
    folder = registry.folder(state["name"])
    places = (folder / f"node-{node['node_id']}" for node in state["nodes"])
    return sum("OutOfMemoryError" in process.log_text(place) for place in places)


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, measure))
