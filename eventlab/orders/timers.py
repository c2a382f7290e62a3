"""Timers that go by the events: an order that nobody pays is cancelled after a time.

    OrderSubscriber(..., store=store, timer=partial(cancel_unpaid, after=timedelta(days=28)))

The time is that of the stream: the largest of an event that was handled, which is in the tables. So
a shop whose events are read a year later cancels what it cancelled then, and a subscriber that was
away for a weekend does not cancel what was paid meanwhile and waits to be read.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Connection, bindparam, func, select

from eventlab.errors import InvalidSetting, shown
from eventlab.orders import outbox
from eventlab.orders.domain import OrderStatus
from eventlab.orders.events import OrderCancelled
from eventlab.orders.store.schema import cancellations, orders, stream_time

SOURCE = "/shop/timer"
_NOW = select(func.max(stream_time.c.time))
_UNPAID = (
    select(orders.c.order_id, orders.c.created)
    .outerjoin(cancellations)
    .where(orders.c.status == str(OrderStatus.CREATED), orders.c.created <= bindparam("since"))
    .where(cancellations.c.order_id.is_(None))
    .order_by(orders.c.created, orders.c.order_id)
)


def cancel_unpaid(db: Connection, after: timedelta, topic: str = "orders") -> int:
    """Put an OrderCancelled of each order that is unpaid for so long into the outbox; how many.

    The same order always gets the same event: its id is made of the order's, its time is when the
    order was `after` old. So two subscribers, or a replay, cancel it once. If its payment was on
    the way already, whoever handles both refuses the one that comes second.
    """
    if not isinstance(after, timedelta) or after <= timedelta(0):
        what, fix = "after cannot be this.", "Use a time, such as timedelta(days=28)."
        raise InvalidSetting(what, f"You gave {shown(after)}.", fix)
    now = db.scalar(_NOW)
    if now is None:
        return 0
    unpaid = db.execute(_UNPAID, {"since": now - after}).all()
    for row in unpaid:
        outbox.add(db, _cancelled(row, after), topic)
    if unpaid:
        db.execute(cancellations.insert(), [{"order_id": row.order_id} for row in unpaid])
    return len(unpaid)


def _cancelled(row: Any, after: timedelta) -> OrderCancelled:
    return OrderCancelled(
        row.order_id,
        f"Nobody paid within {after}.",
        event_id=str(uuid5(NAMESPACE_URL, f"{SOURCE} {row.order_id}")),
        time=row.created + after,
        source=SOURCE,
    )
