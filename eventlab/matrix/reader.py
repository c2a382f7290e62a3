"""A recorded member of a group, in a thread: reads, commits, and ends when all is read."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from eventlab.waiting import Deadline, wait_until

if TYPE_CHECKING:
    from eventlab.matrix.scene import Scene

SETTINGS: dict[str, Any] = {
    "auto_offset_reset": "earliest",
    "enable_auto_commit": False,
    "bootstrap_timeout_ms": 60_000,
    "session_timeout_ms": 6000,
    "request_timeout_ms": 10_000,
    "reconnect_backoff_max_ms": 200,
    "metadata_max_age_ms": 1000,  # new partitions are noticed in time
}


class Reader:
    """Reads a topic of a scene until it is told to leave, or all is read and that is enough."""

    def __init__(self, scene: Scene, over: Callable[[], bool], **settings: Any) -> None:
        self._scene, self._over = scene, over
        self._settings = {**SETTINGS, "group_id": scene.topic, **settings}
        self.leave = threading.Event()  # at once, whatever there is left to read
        self.assigned: frozenset[TopicPartition] = frozenset()
        self.thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        servers = self._scene.cluster.bootstrap_servers
        with self._scene.run.consumer(
            KafkaConsumer(bootstrap_servers=servers, **self._settings)
        ) as consumer:
            consumer.subscribe([self._scene.topic])
            deadline = Deadline(300)
            while deadline.left and not (self._over() and self._at_end(consumer)):
                if self.leave.is_set():
                    return
                with contextlib.suppress(KafkaError):  # recorded; what is not committed comes again
                    if consumer.poll(timeout_ms=200):
                        consumer.commit()
                self.assigned = frozenset(consumer.assignment())

    def _at_end(self, consumer: Any) -> bool:
        try:
            parts: list[TopicPartition] = list(consumer.assignment())
            ends = consumer.end_offsets(parts, timeout_ms=5000) if parts else {}
            return all(consumer.position(part, timeout_ms=1000) >= ends[part] for part in parts)
        except KafkaError:
            return False


class Members:
    """Members of the group of a scene, as long as the block runs and until all is read."""

    def __init__(self, scene: Scene, **settings: Any) -> None:
        self._scene, self._settings = scene, settings
        self._over = threading.Event()
        self.readers: list[Reader] = []

    def join(self) -> Reader:
        """Let one more member join."""
        self.readers.append(Reader(self._scene, self._over.is_set, **self._settings))
        self.readers[-1].thread.start()
        return self.readers[-1]

    @property
    def staying(self) -> list[Reader]:
        """Those that were not told to leave."""
        return [reader for reader in self.readers if not reader.leave.is_set()]

    def __enter__(self) -> Members:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        for reader in self.readers:
            reader.thread.join(timeout=90)


def read(scene: Scene, count: int, topic: str = "", **settings: Any) -> list[bytes]:
    """Read and commit at least so many records as the only member of the group; return values."""
    settings = {**SETTINGS, "group_id": scene.topic, **settings}
    servers, values = scene.cluster.bootstrap_servers, list[bytes]()
    consumer = KafkaConsumer(topic or scene.topic, bootstrap_servers=servers, **settings)
    with scene.run.consumer(consumer):

        def enough() -> bool:
            for records in consumer.poll(timeout_ms=1000).values():
                values.extend(record.value for record in records)
            return len(values) >= count

        wait_until(enough, 45, lambda: f"{len(values)} of {count} records were read.")
        if settings["group_id"]:
            consumer.commit()
    return values
