"""Where the orders of a batch stand, read from the tables with one query for each table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Connection, bindparam, select

from eventlab.orders.domain import OrderStatus
from eventlab.orders.events import (
    EVENTS,
    CustomerRegistered,
    Event,
    ShipmentDelivered,
    ShipmentSent,
)
from eventlab.orders.store.schema import (
    customers,
    order_items,
    orders,
    payments,
    shipments,
    shipped_items,
)


@dataclass(slots=True)
class Standing:
    """An order as the rules for its next event need it; `changed` is None as long as it is not."""

    status: OrderStatus
    total: Decimal
    currency: str
    left: Counter[str] = field(default_factory=Counter)  # what is not sent yet, by product
    on_the_road: set[str] = field(default_factory=set)
    changed: datetime | None = None

    def move(self, status: OrderStatus, time: datetime) -> None:
        """Bring the order to a status, the same one perhaps."""
        self.status, self.changed = status, time


def _in(column: Column[Any], *more: Any) -> Any:
    return select(column, *more).where(column.in_(bindparam("ids", expanding=True)))


_ORDERS = (
    _in(orders.c.order_id, orders.c.status, orders.c.total_cents, orders.c.currency)
    .order_by(orders.c.order_id)  # two subscribers that lock rows do it in one order
    .with_for_update()
)
_ORDERED = _in(order_items.c.order_id, order_items.c.product_id, order_items.c.quantity)
_SENT = _in(shipments.c.order_id, shipped_items.c.product_id, shipped_items.c.quantity).join(
    shipped_items, shipped_items.c.shipment_id == shipments.c.shipment_id
)
_PARCELS = _in(shipments.c.order_id, shipments.c.shipment_id).where(shipments.c.delivered.is_(None))
_CUSTOMERS = _in(customers.c.customer_id)
_PAYMENTS = _in(payments.c.payment_id)
_SHIPMENTS = _in(shipments.c.shipment_id)


class Known:
    """What the tables have of what the events of a batch speak of.

    `orders` by their id; `customers`, `payments` and `shipments` are ids that are there.
    """

    def __init__(self, db: Connection, events: Iterable[Event]) -> None:
        self._db = db
        asked = _ids(events)
        self.orders = self._standings(asked["order_id"], asked["shipped"])
        self.customers = self._there(_CUSTOMERS, asked["customer_id"])
        self.payments = self._there(_PAYMENTS, asked["payment_id"])
        self.shipments = self._there(_SHIPMENTS, asked["shipment_id"])

    def _standings(self, every: list[str], shipped: list[str]) -> dict[str, Standing]:
        found = {
            row[0]: Standing(OrderStatus(row[1]), row[2], row[3])
            for row in self._rows(_ORDERS, every)
        }
        for order_id, product_id, quantity in self._rows(_ORDERED, shipped):
            found[order_id].left[product_id] += quantity
        for order_id, product_id, quantity in self._rows(_SENT, shipped):
            found[order_id].left[product_id] -= quantity
        for order_id, shipment_id in self._rows(_PARCELS, shipped):
            found[order_id].on_the_road.add(shipment_id)
        return found

    def _there(self, query: Any, ids: list[str]) -> set[str]:
        return {row[0] for row in self._rows(query, ids)}

    def _rows(self, query: Any, ids: list[str]) -> Iterable[Any]:
        return self._db.execute(query, {"ids": ids}) if ids else ()


def _ids(events: Iterable[Event]) -> dict[str, list[str]]:
    """Return the ids that events speak of, each once, by the name of their field."""
    found: dict[str, dict[str, None]] = {name: {} for name in ("shipped", *_NAMES)}
    for event in events:
        for name in _FIELDS[type(event)]:
            found[name][getattr(event, name)] = None
        if isinstance(event, ShipmentSent | ShipmentDelivered):
            found["shipped"][event.order_id] = None
    return {name: sorted(ids) for name, ids in found.items()}


_NAMES = ("order_id", "customer_id", "payment_id", "shipment_id")
_FIELDS = {
    kind: [name for name in _NAMES if name in kind.__slots__ and kind is not CustomerRegistered]
    for kind in EVENTS.values()
}
