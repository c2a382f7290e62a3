"""The publisher: it holds a KafkaProducer with safe settings, and knows what is on its way."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from threading import current_thread
from typing import Any

from kafka import KafkaProducer
from kafka.errors import IllegalStateError, KafkaTimeoutError, MessageSizeTooLargeError

from eventlab.cluster import addresses
from eventlab.cluster.clients import outlive_refusals
from eventlab.cluster.topics import check_name
from eventlab.errors import NotSupported
from eventlab.orders import events, traces
from eventlab.orders.cloudevents import Encoded, check_mode, encode
from eventlab.orders.events import Event
from eventlab.orders.publisher import connect
from eventlab.orders.publisher.delivery import Delivery, too_large
from eventlab.orders.publisher.errors import KafkaAway, NotDelivered, PublisherClosed
from eventlab.orders.publisher.pending import Pending
from eventlab.orders.publisher.settings import settings as safe
from eventlab.orders.publisher.siblings import publishing
from eventlab.orders.publisher.telling import Telling
from eventlab.waiting import Deadline, seconds

_CLOSES = 3.0  # seconds for a producer that has nothing left to send


class OrderPublisher:
    """A publisher of events to one topic of the Kafka cluster at `bootstrap_servers`.

    `on_delivery(delivery)` is called for each event once it is known what became of it, in the
    thread of the producer: it may not wait, and what it raises is logged and harms nobody.
    `mode` is the content mode of CloudEvents, "structured" or "binary"; `settings` are those of
    KafkaProducer, as far as they are safe. `producer` is that KafkaProducer: a history records a
    publisher with `run.producer(publisher.producer)`.

    InvalidSetting for a setting that is unsafe or none; KafkaAway within 3 s when nobody answers;
    UnknownTopic when there is no such topic: none is made. Any number of threads may publish; in a
    process that was forked make another publisher.
    """

    publish_order_created = publishing(events.OrderCreated)
    publish_payment_failed = publishing(events.PaymentFailed)
    publish_order_paid = publishing(events.OrderPaid)
    publish_shipment_sent = publishing(events.ShipmentSent)
    publish_shipment_delivered = publishing(events.ShipmentDelivered)
    publish_order_cancelled = publishing(events.OrderCancelled)
    publish_order_refunded = publishing(events.OrderRefunded)
    publish_customer_registered = publishing(events.CustomerRegistered)
    publish_product_listed = publishing(events.ProductListed)

    def __init__(
        self,
        bootstrap_servers: str | Sequence[str],
        topic: str = "orders",
        *,
        mode: str = "structured",
        on_delivery: Callable[[Delivery], object] | None = None,
        **settings: Any,
    ) -> None:
        check_mode(mode)
        check_name(topic)
        self._tell = None if on_delivery is None else Telling(on_delivery)
        self._settings, self._servers = safe(settings), addresses.parse(bootstrap_servers)
        self.topic, self._mode, self._process = topic, mode, os.getpid()
        self._pending, self._closed = Pending(), False
        connect.find_topics(self._servers, self._settings, topic)
        self.producer = connect.client(KafkaProducer, self._servers, **self._settings)
        outlive_refusals(self.producer)

    def publish(self, event: Event) -> Delivery:
        """Send an event, with its entity as key; return at once with its delivery.

        EventEncodeError or EventTooLarge when it has no record; PublisherClosed after close();
        KafkaAway or UnknownTopic when that is known before anything was sent.
        """
        return self.publish_encoded(event, encode(event, self._mode), self.topic)

    def publish_encoded(self, event: Event | None, record: Encoded, topic: str) -> Delivery:
        """Send an event as the record that it was made into before, to any topic.

        Whoever has the record alone gives None: what is passed on need not be understood.
        """
        self._check_open()
        if self._pending.full and not self._inside:
            self._pending.make_room(self._settings["max_block_ms"] / 1000)
        if event:
            record = traces.sent(event, record, topic)
        about = event or record
        delivery = Delivery(about, topic, self._sent(about, record, topic))
        self._pending.add(delivery)
        if self._tell:
            self._tell.when_known(delivery)
        return delivery

    def _sent(self, event: Event | Encoded, record: Encoded, topic: str) -> Any:
        try:
            return self.producer.send(topic, record.value, record.key, record.headers)
        except MessageSizeTooLargeError:
            size = len(record.value) + len(record.key)
            most = self.producer.config["max_request_size"]
            raise too_large(event, topic, size, most) from None
        except IllegalStateError:
            raise self._gone("It was closed.") from None
        except (KafkaTimeoutError, ValueError) as error:  # it has no partitions for this topic
            connect.find_topics(self._servers, self._settings, topic)
            raise connect.away(self._servers, error) from None

    def answers(self) -> bool:
        """Say whether Kafka answers now; it takes up to three seconds when it does not."""
        try:
            connect.find_topics(self._servers, self._settings)
        except KafkaAway:
            return False
        return True

    def flush(self, timeout: float = 30.0) -> None:
        """Return when Kafka has acknowledged every event that was published before.

        NotDelivered tells of those that failed, once, unless their `get` has told it already, and
        of those that are still on their way after so many seconds.
        """
        deadline = Deadline(seconds("timeout", timeout))
        self._check_open()
        self._check_waiting("flush")
        self._pending.settle(deadline)

    def close(self, timeout: float = 30.0) -> None:
        """Flush, then end the producer: NotDelivered says what is given up.

        Its thread and its connections end, whatever became of the events.
        """
        deadline = Deadline(seconds("timeout", timeout))
        if self._closed or os.getpid() != self._process:
            return
        self._check_waiting("close")
        self._closed = True
        gives_up = 0.0
        try:
            self._pending.settle(deadline)
            gives_up = _CLOSES
        finally:
            connect.end(self.producer, gives_up)

    @property
    def _inside(self) -> bool:
        """Whether the producer's own thread is asking: it must not wait for itself."""
        return current_thread() is self.producer._sender

    def _check_open(self) -> None:
        if self._closed:
            raise self._gone("It was closed.")
        if os.getpid() != self._process:  # threads and what is under way are not forked
            raise self._gone(f"It belongs to process {self._process}, this is {os.getpid()}.")

    def _gone(self, why: str) -> PublisherClosed:
        fix = "Make one here: OrderPublisher(...)."
        return PublisherClosed("This publisher sends nothing any more.", why, fix)

    def _check_waiting(self, verb: str) -> None:
        if self._inside:
            raise NotSupported(
                f"{verb}() cannot be called in on_delivery.",
                "It would wait for the thread that has called it.",
                f"Set a threading.Event there, and {verb} in another thread.",
            )

    def __enter__(self) -> OrderPublisher:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self.close()
        except NotDelivered as lost:
            if error is None:
                raise
            error.add_note(str(lost))  # what ended the block is told, and this with it

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<OrderPublisher {self.topic} · {', '.join(self._servers)} · {state}>"
