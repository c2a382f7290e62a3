"""One step of an order: looked up, checked against the domain's rules, written."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, select

from eventlab.orders.domain import OrderStatus
from eventlab.orders.errors import StepNotAllowed
from eventlab.orders.store.schema import orders

# Built once: a statement that is built for each event costs more than SQLite takes to run it.
_LOOKED_UP = (
    select(orders.c.status, orders.c.total_cents, orders.c.currency)
    .where(orders.c.order_id == bindparam("of"))
    .with_for_update(key_share=True)  # PostgreSQL holds the row; SQLite has the whole file already
)
_MOVED = (
    orders.update()
    .where(orders.c.order_id == bindparam("of"))
    .values(status=bindparam("to"), changed=bindparam("at"), last_event=bindparam("by"))
)


def locked(db: Connection, event: Any) -> Any:
    """Return status, total_cents, currency of the order of an event, until the transaction ends.

    StepNotAllowed when there is none: its OrderCreated comes before it in the same partition.
    """
    row = db.execute(_LOOKED_UP, {"of": event.order_id}).one_or_none()
    if row is None:
        raise no_order(event)
    return row


def move(db: Connection, event: Any, status: OrderStatus) -> Any:
    """Bring the order of an event to a status; return its row as it was before.

    StepNotAllowed when the domain has no such step.
    """
    row = locked(db, event)
    if not OrderStatus(row.status).may_become(status):
        raise not_now(event, row.status)
    about = {"of": event.order_id, "at": event.time, "by": event.unique_id}
    db.execute(_MOVED, {**about, "to": status})
    return row


def no_order(event: Any) -> StepNotAllowed:
    """Return the error for an event of an order that is not there."""
    return StepNotAllowed(
        f"{type(event).__name__} cannot follow here.",
        f"There is no order {event.order_id}.",
        "Handle its OrderCreated first.",
    )


def not_now(event: Any, status: str) -> StepNotAllowed:
    """Return the error for an event that does not fit the status of its order."""
    return StepNotAllowed(
        f"{type(event).__name__} cannot follow here.",
        f"{event.order_id} is {status}.",
        "Look at the events of this order: one is missing, or comes twice.",
    )
