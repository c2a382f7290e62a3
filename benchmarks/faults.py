"""What faults cost when there are none, and how soon the cluster serves again when there is one.

Compared: produce throughput of a cluster as it is, every listener behind a proxy, against one
whose listeners advertise the ports that the JVMs bind themselves; both run, and are asked in turn.
The idle CPU is the supervisor's, with and without proxies.
Failover: a producer sends a record every 5 ms with acks=all to a topic of one partition, RF 3 and
min ISR 2; the gap is the longest time between two acknowledgements around the fault, against the
broker session timeout for a killed leader, in seconds for one that is stopped in order.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import figures
from figures import Figure, Numbers
from kafka import KafkaProducer

from eventlab import Cluster, faults
from eventlab.cluster import launch, nodes
from eventlab.waiting import wait_until

RECORDS = 30_000
VALUE = b"x" * 100
SESSION = 3.0  # seconds, the lab's broker.session.timeout.ms
IDLE = 10.0  # seconds of idling
EVERY = 0.005  # seconds between two records


def measure(runs: int) -> list[Figure]:
    launch.requirements()
    with cluster("proxied") as proxied, cluster("direct") as direct:
        seen = figures.interleaved(
            runs, proxied=lambda: produce_run(proxied), direct=lambda: produce_run(direct)
        )
        idle = figures.interleaved(
            2, proxied=lambda: idle_run(proxied), direct=lambda: idle_run(direct)
        )
        gaps = figures.interleaved(
            runs,
            killed=lambda: failover_run(proxied, faults.leader_killed),
            stopped=lambda: failover_run(proxied, faults.leader_stopped),
        )
    seconds = (figures.median(seen[side], "seconds") for side in ("proxied", "direct"))
    cpu = [figures.median(idle[side], "cpu") or 0.0 for side in ("proxied", "direct")]
    return [
        Figure("produce through proxies, against none", next(seconds), "s", 1.05, next(seconds)),
        Figure("CPU of idle proxies", cpu[0] - cpu[1], "% of a core", 1),
        Figure(
            "leader killed to next ack, against the session timeout",
            figures.median(gaps["killed"], "gap"),
            "s",
            1.3,
            SESSION,
        ),
        Figure("leader stopped to next ack", figures.median(gaps["stopped"], "gap"), "s", 0.5),
    ]


@contextmanager
def cluster(side: str) -> Iterator[Cluster]:
    """Start a cluster of three brokers, with proxies or without."""

    def without(*given: Any) -> list[nodes.Node]:
        return [nodes.without_proxies(node) for node in nodes.layout(*given)]

    direct = mock.patch.object(launch, "layout", without)
    with direct if side == "direct" else nullcontext():
        started = Cluster.start(f"bench-{os.getpid()}-{side}")
    with started:
        started.create_topic("throughput", partitions=3)
        started.create_topic("failover", partitions=1)
        yield started


def produce_run(cluster: Cluster) -> Numbers:
    """Send all records with acks=all; return the seconds until the last one is acknowledged."""
    with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, acks="all") as producer:
        producer.send("throughput", VALUE).get(10)
        begun = time.monotonic()
        for number in range(RECORDS):
            producer.send("throughput", VALUE, partition=number % 3)
        producer.flush(timeout=60)
        return {"seconds": time.monotonic() - begun}


def idle_run(cluster: Cluster) -> Numbers:
    """Return what the supervisor uses while nobody asks for anything."""
    supervisor = [cluster.status()["supervisor"]]
    begun, used = time.monotonic(), figures.cpu_seconds(supervisor)
    wait_until(lambda: time.monotonic() - begun >= IDLE, IDLE + 10, "Time stood still.", every=0.5)
    seconds = time.monotonic() - begun
    return {"cpu": 100 * (figures.cpu_seconds(supervisor) - used) / seconds}


def failover_run(cluster: Cluster, fault: Callable[[Cluster, str], faults.Fault]) -> Numbers:
    """Send steadily, break the leader, and return the longest time without an acknowledgement."""
    wait_until(lambda: in_sync(cluster), 60, "The replicas are not in sync.")
    times: list[float] = []
    over = threading.Event()
    # kafka-python asks for metadata when it fails to reconnect to a dead leader, and waits twice as
    # long each time, up to 30 s by default: it would sleep through the election.
    settings = {"acks": "all", "request_timeout_ms": 5000, "reconnect_backoff_max_ms": 200}
    with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, **settings) as producer:

        def send() -> None:
            while not over.wait(EVERY):
                sent = producer.send("failover", VALUE)
                sent.add_callback(lambda _: times.append(time.monotonic()))

        sending = threading.Thread(target=send)
        sending.start()
        try:
            wait_until(lambda: len(times) > 100, 30, "Nothing is acknowledged.")
            broken, before = time.monotonic(), len(times)
            with fault(cluster, "failover"):
                wait_until(lambda: _since(times, broken + 1.0) > 20, 60, "It did not go on.")
        finally:
            over.set()
            sending.join()
    around = times[before - 1 :]
    return {"gap": max(b - a for a, b in itertools.pairwise(around))}


def _since(times: list[float], moment: float) -> int:
    return sum(time > moment for time in times[-50:])


def in_sync(cluster: Cluster) -> bool:
    """Say whether the topic of the failover has all its replicas in sync."""
    (told,) = cluster.admin.describe_topics(["failover"])
    return all(len(part["isr_nodes"]) == 3 for part in told["partitions"])


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, measure))
