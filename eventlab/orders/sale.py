"""One order with all that happened to it: what its events add up to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from eventlab.orders.domain import Order, Payment, Shipment


@dataclass(frozen=True, slots=True)
class Sale:
    """An order, with the payments and shipments that brought it where it is."""

    order: Order
    payments: tuple[Payment, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    cancelled: datetime | None = None
