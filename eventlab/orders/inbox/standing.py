"""Where the orders of a batch stand, read from the tables with one query for each table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from eventlab.orders.domain import OrderStatus
from eventlab.orders.events import (
    EVENTS,
    CustomerRegistered,
    Event,
    ShipmentDelivered,
    ShipmentSent,
)
from eventlab.orders.store.many import among
from eventlab.orders.store.schema import (
    customers,
    order_items,
    orders,
    shipments,
    shipped_items,
)


@dataclass(slots=True)
class Standing:
    """An order as the rules for its next event need it; `last` is what changed it, if it is."""

    status: OrderStatus
    total: Decimal
    currency: str
    left: dict[str, int] = field(default_factory=dict)  # what is not sent yet, by product
    on_the_road: set[str] = field(default_factory=set)
    last: Event | None = None

    def move(self, status: OrderStatus, event: Event) -> None:
        """Bring the order to a status, the same one perhaps."""
        self.status, self.last = status, event


_ORDERS = (
    select(orders.c.order_id, orders.c.status, orders.c.total_cents, orders.c.currency)
    .order_by(orders.c.order_id)  # two subscribers that lock rows do it in one order
    .with_for_update(key_share=True)
)
_ORDERED = select(order_items.c.order_id, order_items.c.product_id, order_items.c.quantity)
_SENT = select(shipments.c.order_id, shipped_items.c.product_id, shipped_items.c.quantity).join(
    shipped_items, shipped_items.c.shipment_id == shipments.c.shipment_id
)
_PARCELS = select(shipments.c.order_id, shipments.c.shipment_id).where(
    shipments.c.delivered.is_(None)
)


class Known:
    """What the tables have of what the events of a batch speak of.

    `orders` by their id; `customers` are the ids of those that are there.
    """

    def __init__(self, db: Connection, events: Iterable[Event]) -> None:
        self._db = db
        asked = _ids(events)
        self.orders = self._standings(asked["order_id"], asked["shipped"])
        self.customers = self._there(customers.c.customer_id, asked["customer_id"])

    def _standings(self, every: list[str], shipped: list[str]) -> dict[str, Standing]:
        found = {
            of: Standing(OrderStatus(status), total, currency)
            for of, status, total, currency in among(self._db, _ORDERS, orders.c.order_id, every)
        }
        ids = [order_id for order_id in shipped if order_id in found]
        for of, product_id, quantity in among(self._db, _ORDERED, order_items.c.order_id, ids):
            left = found[of].left
            left[product_id] = left.get(product_id, 0) + quantity
        for of, product_id, quantity in among(self._db, _SENT, shipments.c.order_id, ids):
            found[of].left[product_id] -= quantity
        for of, shipment_id in among(self._db, _PARCELS, shipments.c.order_id, ids):
            found[of].on_the_road.add(shipment_id)
        return found

    def _there(self, column: Any, ids: list[str]) -> set[str]:
        return {found for (found,) in among(self._db, select(column), column, ids)}


def _ids(events: Iterable[Event]) -> dict[str, list[str]]:
    """Return the ids that events speak of, each once, by the name of their field."""
    found: dict[str, dict[str, None]] = {name: {} for name in ("shipped", *_NAMES)}
    for event in events:
        for name in _FIELDS[type(event)]:
            found[name][getattr(event, name)] = None
        if isinstance(event, ShipmentSent | ShipmentDelivered):
            found["shipped"][event.order_id] = None
    return {name: sorted(ids) for name, ids in found.items()}


_NAMES = ("order_id", "customer_id")
_FIELDS = {
    kind: [name for name in _NAMES if name in kind.__slots__ and kind is not CustomerRegistered]
    for kind in EVENTS.values()
}
