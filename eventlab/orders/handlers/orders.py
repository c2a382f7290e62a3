"""Orders and their payments."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, select

from eventlab.orders.domain import Order, OrderStatus, PaymentStatus
from eventlab.orders.events import (
    OrderCancelled,
    OrderCreated,
    OrderPaid,
    OrderRefunded,
    PaymentFailed,
)
from eventlab.orders.handlers.errors import NotYet
from eventlab.orders.handlers.steps import locked, move, not_now
from eventlab.orders.store.schema import customers, order_items, orders, payments
from eventlab.orders.values import wrong

_CUSTOMER = select(customers.c.name).where(customers.c.customer_id == bindparam("of"))


def handle_order_created(event: OrderCreated, db: Connection) -> None:
    """Look up the customer, compute the total, and write the order with its items.

    NotYet when the customer is not there: their registration is in another partition.
    """
    if db.execute(_CUSTOMER, {"of": event.customer_id}).one_or_none() is None:
        raise not_known(event)
    order = Order(
        *(event.order_id, event.customer_id, event.time),
        *(OrderStatus.CREATED, event.items, event.currency),
    )
    row: dict[str, Any] = {
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "status": order.status,
    }
    row |= {"total_cents": order.total_amount, "currency": order.currency}
    row |= {"created": event.time, "changed": event.time}
    row |= {"last_event": event.unique_id, "correlation_id": event.correlation_id}
    db.execute(orders.insert(), row)
    lines = [
        {
            "order_id": order.order_id,
            "line": line,
            "product_id": item.product_id,
            "quantity": item.quantity,
            "unit_price_cents": item.unit_price,
        }
        for line, item in enumerate(order.items, 1)
    ]
    db.execute(order_items.insert(), lines)


def not_known(event: OrderCreated) -> NotYet:
    """Return the error for an order of somebody who has not signed up yet."""
    return NotYet(
        f"{event.order_id} is of a customer who is not known yet.",
        f"It says {event.customer_id}.",
        "Try again later, or register the customer.",
    )


def check_amount(
    event: PaymentFailed | OrderPaid | OrderRefunded, total: Decimal, currency: str
) -> None:
    """Refuse a payment that is not what the order costs."""
    if (event.amount, event.currency) != (total, currency):
        owed = f"The order costs {total} {currency}."
        raise wrong("amount", f"{event.amount} {event.currency}", owed)


def handle_payment_failed(event: PaymentFailed, db: Connection) -> None:
    """Note the try; the order still waits for its money."""
    order = locked(db, event)
    if order.status != OrderStatus.CREATED:
        raise not_now(event, order.status)
    _note(db, event, PaymentStatus.FAILED, order)


def handle_order_paid(event: OrderPaid, db: Connection) -> None:
    """Note the payment; the order can be shipped."""
    _note(db, event, PaymentStatus.CAPTURED, move(db, event, OrderStatus.PAID))


def handle_order_cancelled(event: OrderCancelled, db: Connection) -> None:
    """Nobody waits for money any more."""
    move(db, event, OrderStatus.CANCELLED)


def handle_order_refunded(event: OrderRefunded, db: Connection) -> None:
    """Note that the money went back."""
    _note(db, event, PaymentStatus.REFUNDED, move(db, event, OrderStatus.REFUNDED))


def _note(
    db: Connection,
    event: PaymentFailed | OrderPaid | OrderRefunded,
    status: PaymentStatus,
    order: Any,
) -> None:
    check_amount(event, order.total_cents, order.currency)
    row: dict[str, Any] = {
        "payment_id": event.payment_id,
        "order_id": event.order_id,
        "created": event.time,
    }
    row |= {"status": status, "amount_cents": event.amount}
    db.execute(payments.insert(), {**row, "method": event.method, "currency": event.currency})
