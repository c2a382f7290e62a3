"""What an OrderPublisher costs, compared with a loop of kafka-python that sends the same bytes.

Compared: the same events to a topic of three partitions and three replicas with acks=all, until
the last one is acknowledged, in turn, each run on a topic of its own. The loop makes each event
into a record as the publisher does (`encode`) and sends it; a second loop sends records that were
made before the clock runs. Fair: the same settings, the same events, clients that know the topic.
A publisher does more: a delivery for each event, and it knows which are not there yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import figures
from figures import Figure, Numbers
from kafka import KafkaProducer

from eventlab.cluster import launch, ready, topics
from eventlab.orders import encode, sample_events
from eventlab.orders.events import Event
from eventlab.orders.publisher import OrderPublisher
from eventlab.orders.publisher.settings import settings
from eventlab.waiting import Deadline

ORDERS = 4_000  # with about four events each


def measure(runs: int) -> list[Figure]:
    launch.requirements()
    events = list(sample_events(ORDERS, seed=7))
    with figures.cluster() as state:
        servers = state["bootstrap_servers"]
        seen = figures.interleaved(
            runs,
            publisher=lambda: _run(servers, events, _publish),
            encoding=lambda: _run(servers, events, _encode_and_send),
            encoded=lambda: _run(servers, events, _send),
        )
    micro = {side: figures.median(numbers, "us") for side, numbers in seen.items()}
    what = "publish an event, against a raw loop"
    return [
        Figure(f"{what} of the same bytes", micro["publisher"], "us", 1 / 0.95, micro["encoding"]),
        Figure(f"{what} of bytes made before", micro["publisher"], "us", None, micro["encoded"]),
    ]


Loop = Callable[[str, str, list[Event]], float]


def _run(servers: str, events: list[Event], loop: Loop) -> Numbers:
    topic = f"bench-{time.monotonic_ns()}"
    admin = ready.admin_client(servers, Deadline(30))
    try:
        admin.create_topics({topic: {"num_partitions": 3, "replication_factor": 3}})
        topics.await_leaders(admin, topic, range(1, 4))
        return {"us": 1e6 * loop(servers, topic, events) / len(events)}
    finally:
        admin.close()


def _publish(servers: str, topic: str, events: list[Event]) -> float:
    with OrderPublisher(servers, topic) as publisher:
        publisher.publish(events[0]).get()
        begun = time.perf_counter()
        for event in events:
            publisher.publish(event)
        publisher.flush(120)
        return time.perf_counter() - begun


def _encode_and_send(servers: str, topic: str, events: list[Event]) -> float:
    with KafkaProducer(bootstrap_servers=servers, **settings({})) as producer:
        producer.send(topic, **encode(events[0])._asdict()).get(30)
        begun = time.perf_counter()
        for event in events:
            key, value, headers = encode(event)
            producer.send(topic, value, key, headers)
        producer.flush(120)
        return time.perf_counter() - begun


def _send(servers: str, topic: str, events: list[Event]) -> float:
    records = [encode(event) for event in events]
    with KafkaProducer(bootstrap_servers=servers, **settings({})) as producer:
        producer.send(topic, **records[0]._asdict()).get(30)
        begun = time.perf_counter()
        for key, value, headers in records:
            producer.send(topic, value, key, headers)
        producer.flush(120)
        return time.perf_counter() - begun


if __name__ == "__main__":
    raise SystemExit(figures.main(__doc__ or "", measure))
