"""What the events of one order add up to: `apply` takes one step, `fold` all of them.

    sale = fold(events)              # the events of one order, in the order of its partition
    sale.order.status                # OrderStatus.PARTLY_SHIPPED
    sale = apply(sale, event)        # one more

An event that comes again, as it may when delivery is at least once, changes nothing in `fold`; one
that comes too early or too late is a `StepNotAllowed`, and the sale stays what it was. Events carry
when they happened, but only their order counts: two machines have two clocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

from eventlab.orders.domain import (
    Item,
    Order,
    OrderStatus,
    Payment,
    PaymentStatus,
    Shipment,
    ShippedItem,
)
from eventlab.orders.errors import EventConflict, StepNotAllowed
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
from eventlab.orders.values import wrong

_ON_THE_WAY = (OrderStatus.PAID, OrderStatus.PARTLY_SHIPPED)


def fold(events: Iterable[Event]) -> Sale:
    """Return what the events of one order add up to; the first of them is its OrderCreated.

    EventConflict when two that are not the same have one id.
    """
    sale = reduce(apply, once(events), None)
    if sale is None:
        raise StepNotAllowed("There is no event.", "You gave none.", "Begin with OrderCreated.")
    return sale


def once(events: Iterable[Event]) -> Iterable[Event]:
    """Yield each event the first time that it comes; EventConflict when a copy is no copy."""
    seen: dict[tuple[str, str], Event] = {}
    for event in events:
        first = seen.get((event.source, event.event_id))
        if first is None:
            seen[event.source, event.event_id] = event
            yield event
        elif first != event:
            raise EventConflict(
                "Two events that are not the same have one id.",
                f"{event.event_id} of {event.source} is {first.type} and {event.type}.",
                "Give every event an id of its own; a copy has to be the same in every field.",
            )


def apply(sale: Sale | None, event: Event) -> Sale:
    """Return the sale after one more event; StepNotAllowed when it does not follow."""
    if isinstance(event, OrderCreated) and sale is None:
        return Sale(_order(event))
    if sale is None or type(event) not in _STEPS or event.key != sale.order.order_id:
        raise StepNotAllowed(
            f"{type(event).__name__} of {event.key} cannot follow here.",
            f"So far there is {f'order {sale.order.order_id}' if sale else 'no order'}.",
            "Apply the events of one order, beginning with its OrderCreated.",
        )
    return _STEPS[type(event)](sale, event)


def _order(event: OrderCreated) -> Order:
    return Order(
        event.order_id,
        event.customer_id,
        event.time,
        OrderStatus.CREATED,
        event.items,
        event.currency,
    )


def _payment(
    sale: Sale, event: PaymentFailed | OrderPaid | OrderRefunded, status: PaymentStatus
) -> tuple[Payment, ...]:
    order = sale.order
    if (event.amount, event.currency) != (order.total_amount, order.currency):
        owed = f"{order.total_amount} {order.currency}"
        raise wrong("amount", f"{event.amount} {event.currency}", f"The order costs {owed}.")
    payment = Payment(
        *(event.payment_id, event.order_id, event.time, status),
        *(event.amount, event.method, event.currency),
    )
    return (*sale.payments, payment)


def _failed(sale: Sale, event: PaymentFailed) -> Sale:
    _in(sale, event, OrderStatus.CREATED)
    return replace(sale, payments=_payment(sale, event, PaymentStatus.FAILED))


def _paid(sale: Sale, event: OrderPaid) -> Sale:
    order = sale.order.with_status(OrderStatus.PAID)
    return replace(sale, order=order, payments=_payment(sale, event, PaymentStatus.CAPTURED))


def _refunded(sale: Sale, event: OrderRefunded) -> Sale:
    order = sale.order.with_status(OrderStatus.REFUNDED)
    return replace(sale, order=order, payments=_payment(sale, event, PaymentStatus.REFUNDED))


def _cancelled(sale: Sale, event: OrderCancelled) -> Sale:
    order = sale.order.with_status(OrderStatus.CANCELLED)
    return replace(sale, order=order, cancelled=event.time)


def _sent(sale: Sale, event: ShipmentSent) -> Sale:
    _in(sale, event, *_ON_THE_WAY)
    _in_state(event, all(s.shipment_id != event.shipment_id for s in sale.shipments), "sent before")
    ordered = _count(sale.order.items)
    sent = sum((_count(s.items) for s in sale.shipments), _count(event.items))
    if not sent <= ordered:
        raise wrong("items", event.items, f"{sale.order.order_id} has less, or it was sent before.")
    parcel = Shipment(
        event.shipment_id, event.order_id, event.carrier, event.time, None, event.items
    )
    status = OrderStatus.SHIPPED if sent == ordered else OrderStatus.PARTLY_SHIPPED
    return replace(_now(sale, status), shipments=(*sale.shipments, parcel))


def _delivered(sale: Sale, event: ShipmentDelivered) -> Sale:
    known = {s.shipment_id: s for s in sale.shipments}
    parcel = known.get(event.shipment_id)
    _in_state(event, parcel is not None and parcel.delivered is None, "not on the road")
    known[event.shipment_id] = replace(known[event.shipment_id], delivered=event.time)
    arrived = all(s.delivered for s in known.values())
    all_sent = sale.order.status is OrderStatus.SHIPPED
    after = _now(sale, OrderStatus.DELIVERED) if arrived and all_sent else sale
    return replace(after, shipments=tuple(known.values()))


def _now(sale: Sale, status: OrderStatus) -> Sale:
    if sale.order.status is status:
        return sale
    return replace(sale, order=sale.order.with_status(status))


def _count(items: Iterable[Item | ShippedItem]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for item in items:
        counts[item.product_id] += item.quantity
    return counts


def _in(sale: Sale, event: Event, *statuses: OrderStatus) -> None:
    if sale.order.status not in statuses:
        raise StepNotAllowed(
            f"{type(event).__name__} cannot follow here.",
            f"{sale.order.order_id} is {sale.order.status}.",
            f"It can when the order is: {', '.join(statuses)}.",
        )


def _in_state(event: ShipmentSent | ShipmentDelivered, fits: bool, state: str) -> None:
    if not fits:
        raise StepNotAllowed(
            f"{type(event).__name__} cannot follow here.",
            f"Shipment {event.shipment_id} of {event.order_id} was {state}.",
            "Send each shipment once, and say once that it arrived.",
        )


_STEPS: Mapping[type[Event], Callable[[Sale, Any], Sale]] = {
    PaymentFailed: _failed,
    OrderPaid: _paid,
    OrderRefunded: _refunded,
    OrderCancelled: _cancelled,
    ShipmentSent: _sent,
    ShipmentDelivered: _delivered,
}
