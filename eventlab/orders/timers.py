"""Timers that go by the events: an order that nobody pays is cancelled after a time.

    OrderSubscriber(..., store=store, timer=partial(cancel_unpaid, after=timedelta(days=28)))

The time is that of the stream: the largest of the events that were handled, which is in the tables.
So a shop whose events are read a year later cancels what it cancelled then, and a subscriber that
was away for a weekend does not cancel what was paid meanwhile and waits to be read.

Each partition has a time of its own, as each task of Kafka Streams has (its
`ProcessorContext.currentStreamTimeMs`): a payment is in the partition of its order, and how far
others were read does not tell whether it was. The price is that an order waits for the next event
of its partition, whichever order that is of.
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
from eventlab.orders.store.many import execute
from eventlab.orders.store.sales import cause_in
from eventlab.orders.store.schema import (
    cancellations,
    orders,
    processed_events,
    stream_time,
)
from eventlab.orders.store.upsert import insert

SOURCE = "/shop/timer"
_ORDER = tuple(orders.c["order_id", "created", "last_event", "correlation_id"])
_NOW = select(func.max(stream_time.c.time))
_PLACE = (
    (processed_events.c.subscriber == stream_time.c.subscriber)
    & (processed_events.c.topic == stream_time.c.topic)
    & (processed_events.c.partition == stream_time.c.partition)
)
_UNPAID = (  # and how far the partition of each was read, by the slowest who reads it
    select(*_ORDER, func.min(stream_time.c.time).label("now"))
    .join(processed_events, processed_events.c.event_id == orders.c.last_event)
    .join(stream_time, _PLACE)
    .outerjoin(cancellations)
    .where(orders.c.status == str(OrderStatus.CREATED), orders.c.created <= bindparam("since"))
    .where(cancellations.c.order_id.is_(None))
    .group_by(*_ORDER)
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
    late = db.execute(_UNPAID, {"since": now - after})
    unpaid = [row for row in late if row.created + after <= row.now]
    return sum(_cancel(db, row, after, topic) for row in unpaid)


def _cancel(db: Connection, row: Any, after: timedelta, topic: str) -> bool:
    """Cancel an order, unless another member has done so since it was looked for."""
    once = insert(db, cancellations).on_conflict_do_nothing()
    if not execute(db, once, [{"order_id": row.order_id}]):
        return False
    outbox.add(db, _cancelled(row, after), topic)
    return True


def _cancelled(row: Any, after: timedelta) -> OrderCancelled:
    return OrderCancelled(
        row.order_id,
        f"Nobody paid within {after}.",
        event_id=str(uuid5(NAMESPACE_URL, f"{SOURCE} {row.order_id}")),
        time=row.created + after,
        source=SOURCE,
        **cause_in(row),
    )
