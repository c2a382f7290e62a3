"""What each event does to the tables of the shop: one function for each, from event to SQL.

    handle(event, db)                     # db is a connection inside of a transaction
    HANDLERS[OrderPaid]                   # the registry is data: replace one, or leave one out

A handler does one thing and knows nothing of Kafka, retries or transactions: whoever calls it keeps
all of an event's effects together with the note that the event was handled, or none of them.
It raises `DomainError` when the event cannot be: it does not follow from what is in the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from eventlab.errors import shown
from eventlab.orders.errors import StepNotAllowed
from eventlab.orders.events import (
    CustomerRegistered,
    Event,
    OrderCancelled,
    OrderCreated,
    OrderPaid,
    OrderRefunded,
    PaymentFailed,
    ProductListed,
    ShipmentDelivered,
    ShipmentSent,
)
from eventlab.orders.handlers.catalogue import handle_customer_registered, handle_product_listed
from eventlab.orders.handlers.orders import (
    handle_order_cancelled,
    handle_order_created,
    handle_order_paid,
    handle_order_refunded,
    handle_payment_failed,
)
from eventlab.orders.handlers.shipments import handle_shipment_delivered, handle_shipment_sent

Handler = Callable[[Any, Connection], Any]

HANDLERS: Mapping[type[Event], Handler] = {
    CustomerRegistered: handle_customer_registered,
    ProductListed: handle_product_listed,
    OrderCreated: handle_order_created,
    PaymentFailed: handle_payment_failed,
    OrderPaid: handle_order_paid,
    OrderCancelled: handle_order_cancelled,
    OrderRefunded: handle_order_refunded,
    ShipmentSent: handle_shipment_sent,
    ShipmentDelivered: handle_shipment_delivered,
}


def handle(event: Event, db: Connection, handlers: Mapping[type[Event], Handler] = HANDLERS) -> Any:
    """Let the handler of its type do what an event does; return what it returns.

    StepNotAllowed as well when the tables refuse it: a second order of the same id, for one.
    """
    try:
        return handlers[type(event)](event, db)
    except IntegrityError as error:
        raise StepNotAllowed(
            f"The tables refuse {type(event).__name__} of {event.key}.",
            f"They say: {shown(str(error.orig).strip().splitlines()[0])}.",
            "Look at what they have of it already.",
        ) from error


__all__ = [
    "HANDLERS",
    "Handler",
    "handle",
    "handle_customer_registered",
    "handle_order_cancelled",
    "handle_order_created",
    "handle_order_paid",
    "handle_order_refunded",
    "handle_payment_failed",
    "handle_product_listed",
    "handle_shipment_delivered",
    "handle_shipment_sent",
]
