"""What the package's handlers do, for a whole batch at once: read once, write once.

A handler asks the database several times for one event; here the orders of a batch are read
together, the events change them in memory, and each table is written with one statement. An event
that is refused changes nothing in memory, so there is nothing to go back to. The rules are those of
the handlers, and a test holds them to each other. What only the tables know, as a payment_id that
is there already, they refuse in `write`; then the batch is handled one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Table, bindparam

from eventlab.orders.domain import OrderStatus, PaymentStatus, total
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
from eventlab.orders.handlers.catalogue import write_customers, write_products
from eventlab.orders.handlers.orders import check_amount, not_known
from eventlab.orders.handlers.shipments import not_on_the_road, too_many
from eventlab.orders.handlers.steps import no_order, not_now
from eventlab.orders.inbox.standing import Known, Standing
from eventlab.orders.store.many import execute
from eventlab.orders.store.schema import order_items, orders, payments, shipments, shipped_items

_MOVED = (
    orders.update()
    .where(orders.c.order_id == bindparam("of"))
    .values(status=bindparam("to"), changed=bindparam("at"), last_event=bindparam("by"))
)
_ARRIVED = (
    shipments.update()
    .where(shipments.c.shipment_id == bindparam("parcel"))
    .values(delivered=bindparam("at"))
)
_INSERT = {
    table: table.insert() for table in (orders, order_items, payments, shipments, shipped_items)
}
_PAYABLE: dict[type[Event], PaymentStatus] = {
    PaymentFailed: PaymentStatus.FAILED,
    OrderPaid: PaymentStatus.CAPTURED,
    OrderRefunded: PaymentStatus.REFUNDED,
}


class AtOnce:
    """The effects of a batch, in memory until `write`."""

    def __init__(self, db: Connection, events: Collection[Event]) -> None:
        self._db, self._known = db, Known(db, events)
        self._orders = self._known.orders
        self._rows: dict[Table, list[dict[str, Any]]] = defaultdict(list)
        self._made: dict[str, dict[str, Any]] = {}  # rows of orders that are new
        self._arrived: list[dict[str, Any]] = []
        self._registered: list[CustomerRegistered] = []
        self._listed: list[ProductListed] = []

    def apply(self, event: Event) -> None:
        """Do what an event does, or raise what its handler would."""
        _APPLY[type(event)](self, event)

    def write(self) -> None:
        """Write all that was done; IntegrityError when somebody else was faster."""
        moved = []
        for order_id, order in self._orders.items():
            if order.last is None:
                continue
            at, by = order.last.time, order.last.unique_id
            if row := self._made.get(order_id):
                row |= {"status": order.status, "changed": at, "last_event": by}
            else:
                moved.append({"of": order_id, "to": order.status, "at": at, "by": by})
        if self._registered:
            write_customers(self._registered, self._db)
        if self._listed:
            write_products(self._listed, self._db)
        execute(self._db, _INSERT[orders], list(self._made.values()))
        for table in (order_items, payments, shipments, shipped_items):
            execute(self._db, _INSERT[table], self._rows[table])
        execute(self._db, _MOVED, moved)
        execute(self._db, _ARRIVED, self._arrived)

    def _order(self, event: Any) -> Standing:
        order = self._orders.get(event.order_id)
        if order is None:
            raise no_order(event)
        return order

    def _movable(self, event: Any, status: OrderStatus) -> Standing:
        order = self._order(event)
        if not order.status.may_become(status):
            raise not_now(event, order.status)
        return order

    def _customer(self, event: CustomerRegistered) -> None:
        self._registered.append(event)
        self._known.customers.add(event.customer_id)

    def _product(self, event: ProductListed) -> None:
        self._listed.append(event)

    def _created(self, event: OrderCreated) -> None:
        if event.customer_id not in self._known.customers:
            raise not_known(event)
        if event.order_id in self._orders:
            raise _there_already(event)
        amount = total(event.items)
        left: dict[str, int] = {}
        for line, item in enumerate(event.items, 1):
            left[item.product_id] = left.get(item.product_id, 0) + item.quantity
            self._rows[order_items].append(
                {
                    "order_id": event.order_id,
                    "line": line,
                    "product_id": item.product_id,
                    "quantity": item.quantity,
                    "unit_price_cents": item.unit_price,
                }
            )
        status = OrderStatus.CREATED
        self._orders[event.order_id] = Standing(status, amount, event.currency, left)
        self._made[event.order_id] = {
            "order_id": event.order_id,
            "customer_id": event.customer_id,
            "status": status,
            "total_cents": amount,
            "currency": event.currency,
            "created": event.time,
            "changed": event.time,
            "last_event": event.unique_id,
            "correlation_id": event.correlation_id,
        }

    def _failed(self, event: PaymentFailed) -> None:
        order = self._order(event)
        if order.status is not OrderStatus.CREATED:
            raise not_now(event, order.status)
        self._note(event, order)

    def _paid(self, event: OrderPaid) -> None:
        order = self._movable(event, OrderStatus.PAID)
        self._note(event, order)
        order.move(OrderStatus.PAID, event)

    def _refunded(self, event: OrderRefunded) -> None:
        order = self._movable(event, OrderStatus.REFUNDED)
        self._note(event, order)
        order.move(OrderStatus.REFUNDED, event)

    def _cancelled(self, event: OrderCancelled) -> None:
        order = self._movable(event, OrderStatus.CANCELLED)
        order.move(OrderStatus.CANCELLED, event)

    def _note(self, event: PaymentFailed | OrderPaid | OrderRefunded, order: Standing) -> None:
        check_amount(event, order.total, order.currency)
        self._rows[payments].append(
            {
                "payment_id": event.payment_id,
                "order_id": event.order_id,
                "created": event.time,
                "status": _PAYABLE[type(event)],
                "amount_cents": event.amount,
                "method": event.method,
                "currency": event.currency,
            }
        )

    def _sent(self, event: ShipmentSent) -> None:
        order = self._order(event)
        if order.status not in (OrderStatus.PAID, OrderStatus.PARTLY_SHIPPED):
            raise not_now(event, order.status)
        left = dict(order.left)
        for item in event.items:
            left[item.product_id] = left.get(item.product_id, 0) - item.quantity
        if min(left.values()) < 0:
            raise too_many(event)
        self._write_parcel(event)
        order.left = left
        order.on_the_road.add(event.shipment_id)
        more = any(left.values())
        order.move(OrderStatus.PARTLY_SHIPPED if more else OrderStatus.SHIPPED, event)

    def _write_parcel(self, event: ShipmentSent) -> None:
        row: dict[str, Any] = {"shipment_id": event.shipment_id, "order_id": event.order_id}
        row |= {"carrier": event.carrier, "shipped": event.time, "delivered": None}
        self._rows[shipments].append(row)
        self._rows[shipped_items] += [
            {
                "shipment_id": event.shipment_id,
                "line": line,
                "product_id": item.product_id,
                "quantity": item.quantity,
            }
            for line, item in enumerate(event.items, 1)
        ]

    def _delivered(self, event: ShipmentDelivered) -> None:
        order = self._order(event)
        if event.shipment_id not in order.on_the_road:
            raise not_on_the_road(event)
        order.on_the_road.remove(event.shipment_id)
        self._arrived.append({"parcel": event.shipment_id, "at": event.time})
        done = order.status is OrderStatus.SHIPPED and not order.on_the_road
        order.move(OrderStatus.DELIVERED if done else order.status, event)


def _there_already(event: OrderCreated) -> StepNotAllowed:
    return StepNotAllowed(
        f"The tables refuse {type(event).__name__} of {event.key}.",
        "They have an order of this id already.",
        "Look at what they have of it already.",
    )


_APPLY: dict[type[Event], Any] = {
    CustomerRegistered: AtOnce._customer,
    ProductListed: AtOnce._product,
    OrderCreated: AtOnce._created,
    PaymentFailed: AtOnce._failed,
    OrderPaid: AtOnce._paid,
    OrderCancelled: AtOnce._cancelled,
    OrderRefunded: AtOnce._refunded,
    ShipmentSent: AtOnce._sent,
    ShipmentDelivered: AtOnce._delivered,
}
