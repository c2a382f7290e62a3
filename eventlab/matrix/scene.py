"""What a row of the matrix plays on: a topic, recorded clients, and the traffic between them."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from eventlab import faults, history
from eventlab.cluster import topics
from eventlab.cluster.cluster import Cluster
from eventlab.waiting import Deadline, wait_until

if TYPE_CHECKING:
    from eventlab.history.judge.verdict import Verdict

SAFE: dict[str, Any] = {"acks": "all", "enable_idempotence": True}
RISKY: dict[str, Any] = {"acks": 1, "enable_idempotence": False}
_WARM = 50  # acknowledgements before anything is broken
_KEYS = 20


class Scene:
    """One run of one row: a topic of its own, a seed, and everything that is recorded."""

    def __init__(self, cluster: Cluster, name: str, seed: int, records: int) -> None:
        self.cluster, self.topic, self.records = cluster, name, records
        self.random = random.Random(seed)
        self.run = history.record(name, cluster)
        self.acknowledged: list[float] = []
        self.lost_on_purpose = 0
        self.broken_promises: list[str] = []
        self._sent = 0

    def create_topic(self, partitions: int = 3, in_sync: int = 2, **configs: str) -> None:
        """Create the topic of the scene with three replicas."""
        self.cluster.create_topic(
            self.topic, partitions, 3, min_insync_replicas=in_sync, configs=configs
        )

    @property
    def leader(self) -> int:
        """The broker that leads partition 0."""
        return topics.partition(self.cluster._admin, self.topic, 0).leader

    def producer(self, **settings: Any) -> KafkaProducer:
        """Return a recorded producer that knows every broker and looks for leaders in time."""
        servers = self.cluster.bootstrap_servers
        made = KafkaProducer(
            **{
                "bootstrap_servers": servers,
                "request_timeout_ms": 5000,
                "reconnect_backoff_max_ms": 200,
                "max_block_ms": 30_000,
                "delivery_timeout_ms": 60_000,
                **settings,
            }
        )
        return self.run.producer(made)

    def send(self, producer: KafkaProducer, count: int) -> list[Any]:
        """Send numbered records with keys; return their futures."""
        sent = []
        for _ in range(count):
            number, self._sent = self._sent, self._sent + 1
            key = b"k%d" % (number % _KEYS)
            future = producer.send(self.topic, key=key, value=b"%d" % number)
            future.add_callback(lambda _: self.acknowledged.append(time.monotonic()))
            sent.append(future)
        return sent

    @contextmanager
    def traffic(self, **settings: Any) -> Iterator[None]:
        """Send and read steadily while the block runs; at its end everything is answered and read.

        The block begins when records are acknowledged, and its end waits until they are again.
        """
        over = threading.Event()
        with self.producer(**(settings or SAFE)) as producer, self._readers(over):
            sending = threading.Thread(target=self._send_all, args=(producer, over), daemon=True)
            sending.start()
            try:
                wait_until(lambda: len(self.acknowledged) >= _WARM, 30, "Nothing is acknowledged.")
                yield
                self.wait_for_service()
                wait_until(lambda: self._sent >= self.records, 120, "Not all records were sent.")
            finally:
                over.set()
                sending.join(timeout=60)
            producer.flush(timeout=60)

    def wait_for_service(self, more: int = 20) -> None:
        """Return when some records that are sent from now on are acknowledged."""
        before = len(self.acknowledged) + more
        wait_until(lambda: len(self.acknowledged) >= before, 60, "Nothing is acknowledged again.")

    def _send_all(self, producer: KafkaProducer, over: threading.Event) -> None:
        # Spread over the fault, and on after it until everything is sent.
        while not over.wait(0.02) and self._sent < 20 * self.records:
            try:
                self.send(producer, 5)
            except KafkaError:  # recorded; the next one is tried all the same
                continue

    @contextmanager
    def _readers(self, over: threading.Event) -> Iterator[None]:
        readers = [Reader(self, over) for _ in range(2)]
        for reader in readers:
            reader.thread.start()
        try:
            yield
        finally:
            over.set()
            for reader in readers:
                reader.thread.join(timeout=90)

    def expect(self, promise: bool, otherwise: str) -> None:
        """Note what a row promises beside the verdict."""
        if not promise:
            self.broken_promises.append(otherwise)

    def gap(self) -> float:
        """Return the longest time, in seconds, between two acknowledgements."""
        times = self.acknowledged
        return max((b - a for a, b in itertools.pairwise(times)), default=0.0)

    def verify(self, **rules: Any) -> Verdict:
        """Mend whatever is broken, wait until all replicas are in sync, and judge."""
        faults.mend(self.cluster)
        wait_until(lambda: self.in_sync(3), 60, "The replicas did not get in sync.")
        told = faults.frame(self.cluster)
        self.run.faults(told[told["start"] >= self._began()])
        return self.run.verify(**rules)

    def _began(self) -> Any:
        import pandas as pd

        return pd.Timestamp(self.run._begun, tz="UTC")

    def in_sync(self, count: int) -> bool:
        """Say whether every partition has this many replicas in sync."""
        parts = topics.partitions(self.cluster._admin, self.topic).values()
        return all(len(part.isr) == count for part in parts)


class Reader:
    """A recorded member of the group: reads until the traffic is over and all is read."""

    def __init__(self, scene: Scene, over: threading.Event) -> None:
        self._scene, self._over = scene, over
        self.thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        consumer = KafkaConsumer(
            bootstrap_servers=self._scene.cluster.bootstrap_servers,
            group_id=self._scene.topic,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=6000,
            request_timeout_ms=10_000,
            reconnect_backoff_max_ms=200,
        )
        with self._scene.run.consumer(consumer):
            consumer.subscribe([self._scene.topic])
            deadline = Deadline(300)
            while deadline.left and not (self._over.is_set() and self._at_end(consumer)):
                try:
                    if consumer.poll(timeout_ms=200):
                        consumer.commit()
                except KafkaError:  # recorded; what is not committed is read again
                    continue

    def _at_end(self, consumer: KafkaConsumer) -> bool:
        try:
            parts: list[TopicPartition] = list(consumer.assignment())
            ends = consumer.end_offsets(parts, timeout_ms=5000) if parts else {}
            return all(consumer.position(part, timeout_ms=1000) >= ends[part] for part in parts)
        except KafkaError:
            return False
