"""What a row of the matrix plays on: topics, recorded clients, processes, and the traffic."""

from __future__ import annotations

import contextlib
import itertools
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from eventlab import faults, history
from eventlab.cluster import topics
from eventlab.cluster.cluster import Cluster
from eventlab.errors import EventlabError
from eventlab.matrix import journal
from eventlab.matrix.child import Child
from eventlab.matrix.reader import Members
from eventlab.waiting import wait_until

if TYPE_CHECKING:
    from eventlab.history.judge.verdict import Verdict

SAFE: dict[str, Any] = {"acks": "all", "enable_idempotence": True}
RISKY: dict[str, Any] = {"acks": 1, "enable_idempotence": False}
_WARM = 50  # acknowledgements before anything is broken
_KEYS = 20


class Scene:
    """One run of one row: topics of its own, a seed, and everything that is recorded."""

    def __init__(self, cluster: Cluster, name: str, seed: int, records: int) -> None:
        self.cluster, self.topic, self.records = cluster, name, records
        self.random = random.Random(seed)
        self.run = history.record(name, cluster)
        self.acknowledged: list[float] = []
        self.written: set[int] = set()  # partitions that acknowledged something
        self.scripted: dict[str, int | range] = {}  # how often an anomaly must be found
        self.broken_promises: list[str] = []
        self.expired = 0
        self.rules: dict[str, Any] = {}  # of the verdict
        self.on_close = ExitStack()
        self._folder = tempfile.TemporaryDirectory(prefix="eventlab-matrix-")
        self._children: list[Child] = []
        self._topics: list[str] = []
        self._served: tuple[float, float] | None = None
        self._sent = 0

    @property
    def folder(self) -> Path:
        """A folder of the scene's own, gone with it."""
        return Path(self._folder.name)

    def create_topic(
        self,
        partitions: int = 3,
        in_sync: int = 2,
        replicas: int = 3,
        name: str = "",
        **configs: str,
    ) -> str:
        """Create the topic of the scene, or another one; return its name."""
        topic = f"{self.topic}-{name}" if name else self.topic
        told = {key.replace("_", "."): value for key, value in configs.items()}
        self.cluster.create_topic(
            topic, partitions, replicas, min_insync_replicas=in_sync, configs=told, fresh=True
        )
        self._topics.append(topic)
        return topic

    @property
    def leader(self) -> int:
        """The broker that leads partition 0, -1 for none."""
        return topics.partition(self.cluster._admin, self.topic, 0).leader

    @property
    def followers(self) -> list[int]:
        """The brokers that have a replica of partition 0 and do not lead it."""
        part = topics.partition(self.cluster._admin, self.topic, 0)
        return [node for node in part.replicas if node != part.leader]

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
                "metadata_max_age_ms": 1000,
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
            future.add_callback(self._acked)
            sent.append(future)
        return sent

    def _acked(self, told: Any) -> None:
        self.acknowledged.append(time.monotonic())
        self.written.add(told.partition)

    def publish(self, count: int, **settings: Any) -> None:
        """Send records and return when all of them are acknowledged."""
        with self.producer(**(settings or SAFE)) as producer:
            for future in self.send(producer, count):
                future.get(timeout=60)

    @contextmanager
    def traffic(self, readers: int = 2, **settings: Any) -> Iterator[None]:
        """Send and read steadily while the block runs; at its end everything is answered and read.

        The block begins when records are acknowledged, and its end waits until they are again.
        """
        over = threading.Event()
        with Members(self) as members, self.producer(**(settings or SAFE)) as producer:
            for _ in range(readers):
                members.join()
            sending = threading.Thread(target=self._send_all, args=(producer, over), daemon=True)
            sending.start()
            try:
                wait_until(lambda: len(self.acknowledged) >= _WARM, 30, "Nothing is acknowledged.")
                begun = time.monotonic()
                yield
                self.wait_for_service()
                self._served = begun, time.monotonic()
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
        # Spread over the fault, and on after it until everything is sent; a fault that lasts long
        # gets fewer, and never none: somebody waits for the next acknowledgement.
        while not over.wait(0.02 if self._sent < 10 * self.records else 0.2):
            try:
                self.send(producer, 5)
            except KafkaError:  # recorded; the next one is tried all the same
                continue

    def start(self, module: str, name: str, **task: Any) -> Child:
        """Start a client in a process of its own; what its journal says is evidence."""
        task = {"servers": self.cluster.bootstrap_servers, "topic": self.topic, **task}
        child = Child(module, name, self.folder, group=self.topic, **task)
        self._children.append(child)
        return child

    def expect(self, promise: bool, otherwise: str) -> None:
        """Note what a row promises beside the verdict."""
        if not promise:
            self.broken_promises.append(otherwise)

    def gap(self) -> float:
        """Return the longest time, in seconds, between two acknowledgements of the traffic."""
        if self._served is None:
            return float("nan")
        begun, ended = self._served
        times = [begun, *(at for at in self.acknowledged if begun < at <= ended)]
        return max((b - a for a, b in itertools.pairwise(times)), default=0.0)

    def verify(self, **rules: Any) -> Verdict:
        """Mend whatever is broken, wait until all replicas are in sync, and judge."""
        faults.mend(self.cluster)
        wait_until(self.in_sync, 60, "The replicas did not get in sync.")
        for path in sorted(self.folder.glob("*.jsonl")):
            journal.replay(path, self.run)
        told = faults.frame(self.cluster)
        self.run.faults(told[told["start"] >= self._began()])
        return self.run.verify(**{**rules, **self.rules})

    def _began(self) -> Any:
        import pandas as pd

        return pd.Timestamp(self.run._begun, tz="UTC")

    def in_sync(self) -> bool:
        """Say whether every replica of every partition is in sync."""
        told = (topics.partitions(self.cluster._admin, name) for name in self._topics)
        return all(len(p.isr) == len(p.replicas) for parts in told for p in parts.values())

    def close(self) -> None:
        """End what the scene started, and delete its topics, its group and its files."""
        for child in self._children:
            child.kill()
        faults.mend(self.cluster)
        with contextlib.suppress(EventlabError, KafkaError):
            self.cluster._admin.ask(lambda client: client.delete_groups([self.topic]), "The group")
        for topic in self._topics:
            with contextlib.suppress(EventlabError):
                self.cluster.delete_topic(topic)
        self.on_close.close()
        self._folder.cleanup()
