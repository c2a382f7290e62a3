"""Version 0: the minimal event `{"event": "ORDER_CREATED", "orderId": "O-1"}`, as many begin.

It says that something happened and to what, but not what: whoever reads it has to look the order
up, and finds it as it is now. That is why version 1 carries what was ordered. It has no id either;
it is given one made of the order's, so that a second copy of it is known as a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from eventlab.errors import shown
from eventlab.orders.domain import Order
from eventlab.orders.errors import EventVersionError, UnknownEventType
from eventlab.orders.events import OrderCreated
from eventlab.orders.values import check_id

FindOrder = Callable[[str], Order | None]

NAME = "ORDER_CREATED"


def upgraded(fields: Mapping[str, Any], find_order: FindOrder | None) -> OrderCreated:
    """Return the event of version 0 as one of version 1; EventVersionError when nothing helps."""
    if fields["event"] != NAME:
        seen = f"The event is {shown(fields['event'])}."
        raise UnknownEventType("Version 0 has one event.", seen, f"Send {NAME!r}, or version 1.")
    order_id = fields.get("orderId")
    check_id("orderId", order_id)
    order = find_order(str(order_id)) if find_order else None
    if order is None:
        looked = "and it was not found" if find_order else "and nobody can look it up"
        raise EventVersionError(
            "An event of version 0 needs the order that it speaks of.",
            f"It has the order_id {order_id}, {looked}.",
            "Pass find_order= to decode or OrderSubscriber, or send version 1.",
        )
    return OrderCreated(
        order.order_id,
        order.customer_id,
        order.items,
        order.currency,
        event_id=str(uuid5(NAMESPACE_URL, f"{NAME} {order.order_id}")),
        time=order.created,
        source="/version-0",
    )
