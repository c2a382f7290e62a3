"""Parcels: an order may leave in several, and has arrived when all of them have."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from eventlab.orders.domain import OrderStatus
from eventlab.orders.errors import EventValidationError, StepNotAllowed
from eventlab.orders.events import ShipmentDelivered, ShipmentSent
from eventlab.orders.handlers.steps import locked, move, not_now
from eventlab.orders.store.schema import order_items, orders, shipments, shipped_items
from eventlab.orders.values import wrong

_ORDERED = (
    select(order_items.c.product_id, func.sum(order_items.c.quantity))
    .where(order_items.c.order_id == bindparam("of"))
    .group_by(order_items.c.product_id)
)
_SENT = (
    select(shipped_items.c.product_id, func.sum(shipped_items.c.quantity))
    .join(shipments)
    .where(shipments.c.order_id == bindparam("of"))
    .group_by(shipped_items.c.product_id)
)
_ARRIVED = (
    shipments.update()
    .where(
        shipments.c.shipment_id == bindparam("parcel"),
        shipments.c.order_id == bindparam("of"),
        shipments.c.delivered.is_(None),
    )
    .values(delivered=bindparam("at"))
)
_ON_THE_ROAD = (
    select(func.count())
    .select_from(shipments)
    .where(shipments.c.order_id == bindparam("of"), shipments.c.delivered.is_(None))
)
_CHANGED = (
    orders.update()
    .where(orders.c.order_id == bindparam("of"))
    .values(changed=bindparam("at"), last_event=bindparam("by"))
)


def handle_shipment_sent(event: ShipmentSent, db: Connection) -> None:
    """Write the parcel; the order is shipped when nothing of it is left to send."""
    order = locked(db, event)
    left = _counts(db, _ORDERED, event)
    for product_id, quantity in _counts(db, _SENT, event).items():
        left[product_id] -= quantity
    for item in event.items:
        left[item.product_id] = left.get(item.product_id, 0) - item.quantity
    if order.status not in (OrderStatus.PAID, OrderStatus.PARTLY_SHIPPED):
        raise not_now(event, order.status)
    if min(left.values()) < 0:
        raise too_many(event)
    row = {"shipment_id": event.shipment_id, "order_id": event.order_id, "carrier": event.carrier}
    db.execute(shipments.insert(), {**row, "shipped": event.time, "delivered": None})
    db.execute(shipped_items.insert(), _rows(event))
    status = OrderStatus.PARTLY_SHIPPED if any(left.values()) else OrderStatus.SHIPPED
    if status != order.status:
        move(db, event, status)
    else:
        db.execute(_CHANGED, {"of": event.order_id, "at": event.time, "by": event.unique_id})


def handle_shipment_delivered(event: ShipmentDelivered, db: Connection) -> None:
    """Note that the parcel arrived; the order is delivered when all of it has."""
    order = locked(db, event)
    about = {"of": event.order_id, "at": event.time}
    if not db.execute(_ARRIVED, {**about, "parcel": event.shipment_id}).rowcount:
        raise not_on_the_road(event)
    if order.status == OrderStatus.SHIPPED and not db.scalar(_ON_THE_ROAD, about):
        move(db, event, OrderStatus.DELIVERED)
    else:
        db.execute(_CHANGED, {**about, "by": event.unique_id})


def too_many(event: ShipmentSent) -> EventValidationError:
    """Return the error for a parcel with more than is left to send."""
    return wrong("items", event.items, f"{event.order_id} has less, or it was sent before.")


def not_on_the_road(event: ShipmentDelivered) -> StepNotAllowed:
    """Return the error for the arrival of a parcel that never left, or arrived before."""
    return StepNotAllowed(
        "ShipmentDelivered cannot follow here.",
        f"Shipment {event.shipment_id} of {event.order_id} is not on the road.",
        "Handle its ShipmentSent first; it arrives once.",
    )


def _counts(db: Connection, query: Select[Any], event: ShipmentSent) -> dict[str, int]:
    return {row[0]: row[1] for row in db.execute(query, {"of": event.order_id})}


def _rows(event: ShipmentSent) -> list[dict[str, Any]]:
    return [
        {
            "shipment_id": event.shipment_id,
            "line": line,
            "product_id": item.product_id,
            "quantity": item.quantity,
        }
        for line, item in enumerate(event.items, 1)
    ]
