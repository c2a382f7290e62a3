"""The way of an event that is in Kafka when its request is answered: no outbox, no relay.

The publisher is opened when it is first needed, so that the web side starts while Kafka is away.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

from eventlab.errors import EventlabError
from eventlab.orders.events import Event
from eventlab.orders.publisher import KafkaAway, NotDelivered, OrderPublisher

ACKNOWLEDGED_WITHIN = 5.0  # seconds
_CLOSED_WITHIN = 5.0
_AWAY = 1.0  # for which nobody looks again: those who wait are told what the first one was told


class Direct:
    """Sends events to a topic and waits for Kafka's acknowledgement; any thread may send."""

    def __init__(self, servers: str, topic: str, **security: Any) -> None:
        self._servers, self._security = servers, security
        self._topic = topic
        self._publisher: OrderPublisher | None = None
        self._lock = threading.Lock()
        self._failed: tuple[float, EventlabError] | None = None

    def send(self, event: Event) -> None:
        """Return when Kafka has the event; KafkaAway, NotDelivered and UnknownTopic are raised."""
        self._opened(time.monotonic()).publish(event).get(ACKNOWLEDGED_WITHIN)

    def close(self) -> None:
        """End the publisher; what is still on its way gets five seconds."""
        with self._lock:
            if self._publisher is not None:
                with suppress(NotDelivered):  # whoever asked was told that it is not known
                    self._publisher.close(_CLOSED_WITHIN)
                self._publisher = None

    def _opened(self, asked: float) -> OrderPublisher:
        if not self._lock.acquire(timeout=ACKNOWLEDGED_WITHIN):
            raise KafkaAway(
                "Kafka does not answer.",
                f"Others wait for {self._servers} too.",
                "Try again when it runs.",
            )
        try:
            if self._failed and asked < self._failed[0] + _AWAY:
                raise self._failed[1]
            if self._publisher is None:
                self._publisher = self._open()
            return self._publisher
        finally:
            self._lock.release()

    def _open(self) -> OrderPublisher:
        try:
            return OrderPublisher(
                self._servers,
                self._topic,
                client_id="order-api",
                max_block_ms=3_000,
                **self._security,
            )
        except EventlabError as error:
            self._failed = time.monotonic(), error
            raise
