"""Publishing events: an `OrderPublisher` holds a KafkaProducer with safe settings."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from threading import current_thread
from typing import Any, Concatenate, ParamSpec

from kafka.errors import IllegalStateError, KafkaTimeoutError, MessageSizeTooLargeError

from eventlab.errors import InvalidSetting, shown
from eventlab.orders import events
from eventlab.orders.cloudevents import Encoded, check_mode, encode
from eventlab.orders.events import Event
from eventlab.orders.publisher import connect
from eventlab.orders.publisher.delivery import Delivery, too_large
from eventlab.orders.publisher.errors import EventTooLarge, NotDelivered, PublisherClosed
from eventlab.orders.publisher.pending import Pending
from eventlab.orders.publisher.settings import settings as safe_settings
from eventlab.waiting import Deadline, seconds

P = ParamSpec("P")
log = logging.getLogger(__name__)


def _publishing(kind: Callable[P, Event]) -> Callable[Concatenate[OrderPublisher, P], Delivery]:
    """Return the method that publishes events of one class: it takes what the class takes."""

    def publish(self: OrderPublisher, /, *args: P.args, **fields: P.kwargs) -> Delivery:
        return self.publish(kind(*args, **fields))

    return publish


class OrderPublisher:
    """A publisher of events to one topic of the cluster at `bootstrap_servers`."""

    publish_order_created = _publishing(events.OrderCreated)
    publish_payment_failed = _publishing(events.PaymentFailed)
    publish_order_paid = _publishing(events.OrderPaid)
    publish_shipment_sent = _publishing(events.ShipmentSent)
    publish_shipment_delivered = _publishing(events.ShipmentDelivered)
    publish_order_cancelled = _publishing(events.OrderCancelled)
    publish_order_refunded = _publishing(events.OrderRefunded)
    publish_customer_registered = _publishing(events.CustomerRegistered)
    publish_product_listed = _publishing(events.ProductListed)

    def __init__(
        self,
        bootstrap_servers: str | Sequence[str],
        topic: str = "orders",
        *,
        mode: str = "structured",
        on_delivery: Callable[[Delivery], object] | None = None,
        **settings: Any,
    ) -> None:
        raise NotImplementedError

    def publish(self, event: Event) -> Delivery:
        """Send an event, keyed by its entity; return at once with its delivery."""
        raise NotImplementedError

    def flush(self, timeout: float = 30.0) -> None:
        """Return when Kafka has acknowledged every event that was published before."""

    def close(self, timeout: float = 30.0) -> None:
        """Flush, then end the producer, its thread and its connections, whatever flush says."""
