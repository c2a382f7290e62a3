"""The later events of orders that somebody follows: one thread that reads the topic from its end.

It has no group, since every web process has its own clients to tell: nothing is committed, and what
happened before it began is in the tables. While Kafka is away it waits and goes on where it was.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from eventlab.cluster.clients import connected
from eventlab.orders.asyncapi import TOPICS
from eventlab.orders.cloudevents import decode
from eventlab.orders.errors import DomainError
from eventlab.orders.kinds import to_fields
from eventlab.orders.values import to_iso
from eventlab.waiting import Deadline

FRESH = 10.0  # seconds for which an answer of Kafka counts as one
_ASK_EVERY = 2.0
_PAUSE = 0.5
_LOG = logging.getLogger(__name__)


class Feed:
    """A thread that tells `deliver` of each event of an order that `wanted` says yes to.

    `ready` is set when it has a place in the topic: what is published from then on is told.
    """

    def __init__(
        self,
        servers: str,
        wanted: Callable[[str], bool],
        deliver: Callable[[dict[str, Any]], None],
        topic: str = TOPICS["order_id"],
        **security: Any,
    ) -> None:
        self._servers, self._security = servers, security
        self._wanted = wanted
        self._deliver = deliver
        self._topic = topic
        self._answered = float("-inf")
        self._next: dict[TopicPartition, int] = {}  # outlives a consumer that failed
        self._stop = threading.Event()
        self.ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eventlab-web-feed", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and its consumer; it takes as long as one call of the client."""
        self._stop.set()
        self._thread.join(Deadline(15).left)

    @property
    def kafka_answers(self) -> bool:
        """Whether Kafka has answered in the last ten seconds."""
        return time.monotonic() - self._answered < Deadline(FRESH).seconds

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._read()
            except Exception as error:  # whatever it is, those who follow wait for more
                _LOG.warning("The feed begins anew after %s: %s", type(error).__name__, error)
            self._stop.wait(_PAUSE)

    def _read(self) -> None:
        consumer = connected(
            KafkaConsumer,
            bootstrap_servers=self._servers,
            **self._security,
            client_id="eventlab-web",
            enable_auto_commit=False,
            auto_offset_reset="latest",
            bootstrap_timeout_ms=2000,
            request_timeout_ms=5000,
            reconnect_backoff_max_ms=1000,
        )
        try:
            self._follow(consumer)
        finally:
            self.ready.clear()
            consumer.close(timeout_ms=2000)

    def _follow(self, consumer: Any) -> None:
        parts: list[TopicPartition] = []
        asked = float("-inf")
        while not self._stop.is_set():
            if time.monotonic() - asked > _ASK_EVERY:
                asked = time.monotonic()
                parts = self._ask(consumer, parts)
            if not parts:
                self._stop.wait(_PAUSE)
                continue
            for part, records in consumer.poll(timeout_ms=200).items():
                for record in records:
                    self._tell(record)
                    self._next[part] = record.offset + 1

    def _ask(self, consumer: Any, parts: list[TopicPartition]) -> list[TopicPartition]:
        """Look which partitions there are; new ones are read from their beginning."""
        try:
            numbers = consumer.partitions_for_topic(self._topic) or ()
            there = [TopicPartition(self._topic, number) for number in sorted(numbers)]
            if not there:
                return parts
            ends = consumer.end_offsets(there)
        except KafkaError:
            return parts
        self._answered = time.monotonic()
        if there != parts:
            known = bool(self._next)
            consumer.assign(there)
            for part in there:
                consumer.seek(part, self._next.setdefault(part, 0 if known else ends[part]))
            self.ready.set()
        return there

    def _tell(self, record: Any) -> None:
        order_id = (record.key or b"").decode("utf-8", "replace")
        if not self._wanted(order_id):
            return
        try:
            event = decode(record)
        except DomainError as error:  # the subscribers' dead letters are the place for it
            _LOG.warning("An event of %s cannot be read: %s", order_id, error)
            return
        self._deliver(
            {
                "type": event.type,
                "event_id": event.event_id,
                "order_id": order_id,
                "data": to_fields(event),
                "time": to_iso(event.time),
                "partition": record.partition,
                "offset": record.offset,
            }
        )
