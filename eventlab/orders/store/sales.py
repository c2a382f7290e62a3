"""An order as it is in the tables, with its payments and shipments; and what led to it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, select

from eventlab.orders.domain import (
    Item,
    Order,
    OrderStatus,
    Payment,
    PaymentStatus,
    Shipment,
    ShippedItem,
)
from eventlab.orders.sale import Sale
from eventlab.orders.store.schema import order_items, orders, payments, shipments, shipped_items


def find_sale(db: Connection, order_id: str) -> Sale | None:
    """Return what the tables have of an order; None when there is no such order."""
    row = db.execute(select(orders).where(orders.c.order_id == order_id)).one_or_none()
    if row is None:
        return None
    order = Order(
        *(row.order_id, row.customer_id, row.created),
        *(OrderStatus(row.status), _items(db, order_id), row.currency),
    )
    cancelled = row.changed if order.status is OrderStatus.CANCELLED else None
    return Sale(order, _payments(db, order_id), _shipments(db, order_id), cancelled)


def find_cause(db: Connection, order_id: str) -> dict[str, str]:
    """Return correlation_id and causation_id of what follows in the story of an order."""
    query = select(orders.c.correlation_id, orders.c.last_event)
    return cause_in(db.execute(query.where(orders.c.order_id == order_id)).one())


def cause_in(row: Any) -> dict[str, str]:
    """Return the same from a row of the orders; an event's id stands before its source."""
    return {"correlation_id": row.correlation_id, "causation_id": row.last_event.split()[0]}


def _items(db: Connection, order_id: str) -> tuple[Item, ...]:
    table = order_items.c
    query = select(order_items).where(table.order_id == order_id).order_by(table.line)
    return tuple(Item(r.product_id, r.quantity, r.unit_price_cents) for r in db.execute(query))


def _payments(db: Connection, order_id: str) -> tuple[Payment, ...]:
    table = payments.c
    query = select(payments).where(table.order_id == order_id).order_by(table.number)
    return tuple(
        Payment(
            *(r.payment_id, r.order_id, r.created, PaymentStatus(r.status)),
            *(r.amount_cents, r.method, r.currency),
        )
        for r in db.execute(query)
    )


def _shipments(db: Connection, order_id: str) -> tuple[Shipment, ...]:
    inside = defaultdict(list)
    lines = select(shipped_items).join(shipments).where(shipments.c.order_id == order_id)
    for line in db.execute(lines.order_by(shipped_items.c.line)):
        inside[line.shipment_id].append(ShippedItem(line.product_id, line.quantity))
    query = select(shipments).where(shipments.c.order_id == order_id).order_by(shipments.c.number)
    return tuple(
        Shipment(
            *(r.shipment_id, r.order_id, r.carrier, r.shipped, r.delivered),
            tuple(inside[r.shipment_id]),
        )
        for r in db.execute(query)
    )
