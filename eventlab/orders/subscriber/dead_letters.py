"""Dead letters on their way to `<topic>-dlt`: acknowledged by all replicas in sync, or not gone."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, TopicAlreadyExistsError

from eventlab.cluster.clients import connected
from eventlab.orders import letters
from eventlab.orders.inbox import Arrival
from eventlab.orders.publisher import connect

log = logging.getLogger(__name__)

_ACKED = 15.0  # seconds
_ENDS = 5.0
_SAFE: Mapping[str, Any] = {
    "client_id": "order-dead-letters",
    "acks": "all",
    "compression_type": "gzip",  # what came compressed would be too large without
    "max_request_size": 1 << 30,  # the topic knows how much it takes
    "allow_auto_create_topics": False,
    "max_block_ms": 5_000,
    "request_timeout_ms": 5_000,
    "delivery_timeout_ms": 10_000,
    "reconnect_backoff_max_ms": 1_000,
    "bootstrap_timeout_ms": 5_000,
}


class DeadLetters:
    """Publishes what a subscriber could not handle; opens a producer when there is something.

    A dead-letter topic that is not there is made, with as many partitions as the topic: a letter
    goes into the partition of its record, so that those of a key keep their order. Where a topic
    has fewer partitions the key decides, which keeps it too.
    """

    def __init__(self, address: Mapping[str, Any], group_id: str) -> None:
        self._address, self._group_id = address, group_id
        self._producer: Any = None
        self._topics: set[str] = set()

    def send(self, dead: Sequence[tuple[Arrival, Exception]]) -> list[Arrival]:
        """Return those that Kafka has not acknowledged; all of them have to be tried again."""
        try:
            self._open({arrival.record.topic for arrival, _ in dead})
            futures = [self._send(*letter) for letter in dead]
        except KafkaError as refusal:
            return self._failed([arrival for arrival, _ in dead], refusal)
        lost: list[Arrival] = []
        why: list[KafkaError] = []
        for letter, future in zip(dead, futures, strict=True):
            try:
                self._settle(*letter, future)
            except KafkaError as refusal:
                lost.append(letter[0])
                why.append(refusal)
        return self._failed(lost, why[0]) if lost else []

    def _failed(self, lost: list[Arrival], why: Exception) -> list[Arrival]:
        log.warning("%d dead letters are not in Kafka yet: %s", len(lost), why)
        self.close()  # after an answer that is missing an idempotent producer begins anew
        return lost

    def _open(self, topics: set[str]) -> None:
        if missing := topics - self._topics:
            self._make(missing)
            self._topics |= missing
        if self._producer is None and topics:
            self._producer = connected(KafkaProducer, **{**_SAFE, **self._address})

    def _make(self, topics: set[str]) -> None:
        """Make the dead-letter topics that are not there."""
        admin = connected(
            KafkaAdminClient, request_timeout_ms=5_000, bootstrap_timeout_ms=5_000, **self._address
        )
        try:
            there = set(admin.list_topics())
            for topic in topics:
                if topic + letters.SUFFIX not in there:
                    [told] = admin.describe_topics([topic])
                    _create(admin, topic + letters.SUFFIX, len(told["partitions"]))
        finally:
            admin.close()

    def _send(self, arrival: Arrival, error: Exception, whole: bool = True) -> Any:
        record = arrival.record
        log.warning(
            "%s offset %d of %s is dead: %s",
            *(f"{record.topic}-{record.partition}", record.offset, self._group_id, error),
        )
        topic, part = record.topic + letters.SUFFIX, letters.place(record)[0]
        return self._producer.send(
            topic,
            key=record.key,
            value=letters.sendable(record.key, record.value if whole else None),
            headers=letters.headers(record, error, self._group_id),
            partition=part if part in self._producer.partitions_for(topic) else None,
        )

    def _settle(self, arrival: Arrival, error: Exception, future: Any) -> None:
        """Wait for an acknowledgement; a record that is too large goes without its value.

        The headers say where the whole one is.
        """
        try:
            future.get(_ACKED)
        except MessageSizeTooLargeError:
            self._send(arrival, error, whole=False).get(_ACKED)

    def close(self) -> None:
        """End the producer, if there is one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            connect.end(producer, _ENDS)


def _create(admin: Any, topic: str, partitions: int) -> None:
    with contextlib.suppress(TopicAlreadyExistsError):  # another member was faster
        admin.create_topics(
            {topic: {"num_partitions": partitions, "replication_factor": -1}},
            wait_for_metadata=True,
        )
