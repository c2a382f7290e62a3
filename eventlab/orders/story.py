"""The events that led to a sale, or to many; `fold` brings the sale back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from operator import attrgetter
from typing import Any

from eventlab.orders.domain import Payment, PaymentStatus, Shipment
from eventlab.orders.events import (
    Event,
    OrderCancelled,
    OrderCreated,
    OrderPaid,
    OrderRefunded,
    PaymentFailed,
    ShipmentDelivered,
    ShipmentSent,
)
from eventlab.orders.sale import Sale

_WORDS: dict[PaymentStatus, tuple[type[PaymentFailed | OrderPaid | OrderRefunded], str]] = {
    PaymentStatus.FAILED: (PaymentFailed, "failed"),
    PaymentStatus.CAPTURED: (OrderPaid, "paid"),
    PaymentStatus.REFUNDED: (OrderRefunded, "refunded"),
}


def events_of(sale: Sale) -> list[Event]:
    """Return what happened to an order, by time; their ids can be read, and are always the same."""
    return sorted(_events(sale), key=attrgetter("time"))


def by_time(sales: Iterable[Sale]) -> Iterator[Event]:
    """Yield all that happened to sales, which come by the time of their orders.

    It keeps what has not happened yet when the next order is created.
    """
    ahead: list[tuple[datetime, int, Event]] = []
    number = count()
    for sale in sales:
        while ahead and ahead[0][0] <= sale.order.created:
            yield heappop(ahead)[2]
        for event in events_of(sale):
            heappush(ahead, (event.time, next(number), event))
    while ahead:
        yield heappop(ahead)[2]


def _events(sale: Sale) -> Iterator[Event]:
    order = sale.order
    created = OrderCreated(
        *(order.order_id, order.customer_id, order.items, order.currency),
        **_when(order.order_id, "created", order.created),
    )
    yield created
    paid: Event = created
    for payment in sale.payments:
        event = _payment(paid, payment)
        paid = event if isinstance(event, OrderPaid) else paid
        yield event
    for shipment in sale.shipments:
        yield from _shipment(paid, shipment)
    if sale.cancelled:
        when = _when(order.order_id, "cancelled", sale.cancelled)
        yield created.then(OrderCancelled, order.order_id, "Nobody paid it.", **when)


def _payment(before: Event, payment: Payment) -> Event:
    kind, word = _WORDS[payment.status]
    return before.then(
        kind,
        *(payment.order_id, payment.payment_id, payment.amount, payment.method, payment.currency),
        **_when(payment.payment_id, word, payment.created),
    )


def _shipment(paid: Event, shipment: Shipment) -> Iterator[Event]:
    sent = paid.then(
        ShipmentSent,
        *(shipment.order_id, shipment.shipment_id, shipment.carrier, shipment.items),
        **_when(shipment.shipment_id, "sent", shipment.shipped),
    )
    yield sent
    if shipment.delivered:
        when = _when(shipment.shipment_id, "delivered", shipment.delivered)
        yield sent.then(ShipmentDelivered, shipment.order_id, shipment.shipment_id, **when)


def _when(entity_id: str, word: str, time: datetime) -> dict[str, Any]:
    return {"event_id": f"{entity_id}.{word}", "time": time}
