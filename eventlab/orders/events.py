"""What happens in the shop, in the past tense: facts that nobody changes any more.

    created = OrderCreated("O-1", "C-00042", (Item("GRUMPY-TEAPOT", 2, Decimal("39.90")),))
    paid = created.then(OrderPaid, "O-1", payment_id="P-1", amount=Decimal("79.80"), method="card")
    created.type, created.key, created.event_id, created.time
    paid.causation_id == created.event_id        # True

Positional fields say what happened and travel as JSON (`data`); keyword-only ones say when, where
and why, and travel in the envelope. An event says what happened, not what the order looks like now.

A field may be added, when it is `... | None`; then `version` grows by one, and every version of a
type can read every other (`compatible`). Any other change is a new type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar
from uuid import uuid4

from eventlab.orders.domain import Item, ShippedItem, total
from eventlab.orders.kinds import Country, Currency, Id, Money, Name, Source, Time, check_fields

E = TypeVar("E")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What every event has: its own id, when and where it happened, and what led to it.

    `correlation_id` is the same for all that follows from one beginning, by itself the id of the
    first event; `causation_id` is the id of the event right before, None for the first one.
    """

    type: ClassVar[str]
    version: ClassVar[int] = 1
    entity: ClassVar[str] = "order_id"  # the field with the unique id of what it happened to

    event_id: Id = field(default_factory=lambda: str(uuid4()))
    time: Time = field(default_factory=lambda: datetime.now(UTC))
    source: Source = "/shop"
    correlation_id: Id = ""
    causation_id: Id | None = None

    def __post_init__(self) -> None:
        if self.correlation_id == "":
            object.__setattr__(self, "correlation_id", self.event_id)
        check_fields(self)

    @property
    def key(self) -> str:
        """The unique id of what it happened to; as record key it keeps one story in order."""
        key: str = getattr(self, self.entity)
        return key

    @property
    def unique_id(self) -> str:
        """The id with its source, within which alone it is unique (CloudEvents 1.0)."""
        return f"{self.event_id} {self.source}"

    def then(self, kind: Callable[..., E], *args: Any, **fields: Any) -> E:
        """Return the event that follows from this one, in the same correlation."""
        cause = {"correlation_id": self.correlation_id, "causation_id": self.event_id}
        return kind(*args, **{**cause, **fields})


@dataclass(frozen=True, slots=True)
class OrderCreated(Event):
    """A customer wants these items, at these prices."""

    type: ClassVar[str] = "example.eventlab.order.created"
    order_id: Id
    customer_id: Id
    items: tuple[Item, ...]
    currency: Currency = "EUR"

    def __post_init__(self) -> None:
        Event.__post_init__(self)
        total(self.items)  # raises when they cost more than an order can


@dataclass(frozen=True, slots=True)
class PaymentFailed(Event):
    """A try to pay an order brought no money; there may be another one."""

    type: ClassVar[str] = "example.eventlab.payment.failed"
    order_id: Id
    payment_id: Id
    amount: Money
    method: Id
    currency: Currency = "EUR"


@dataclass(frozen=True, slots=True)
class OrderPaid(Event):
    """The money for an order is in."""

    type: ClassVar[str] = "example.eventlab.order.paid"
    order_id: Id
    payment_id: Id
    amount: Money
    method: Id
    currency: Currency = "EUR"


@dataclass(frozen=True, slots=True)
class ShipmentSent(Event):
    """A parcel with an order, or with a part of it, has left."""

    type: ClassVar[str] = "example.eventlab.shipment.sent"
    order_id: Id
    shipment_id: Id
    carrier: Name
    items: tuple[ShippedItem, ...]


@dataclass(frozen=True, slots=True)
class ShipmentDelivered(Event):
    """A parcel has arrived."""

    type: ClassVar[str] = "example.eventlab.shipment.delivered"
    order_id: Id
    shipment_id: Id


@dataclass(frozen=True, slots=True)
class OrderCancelled(Event):
    """Nobody will pay this order any more; `reason` is for people."""

    type: ClassVar[str] = "example.eventlab.order.cancelled"
    order_id: Id
    reason: Name


@dataclass(frozen=True, slots=True)
class OrderRefunded(Event):
    """The money for an order went back to the customer."""

    type: ClassVar[str] = "example.eventlab.order.refunded"
    order_id: Id
    payment_id: Id
    amount: Money
    method: Id
    currency: Currency = "EUR"


@dataclass(frozen=True, slots=True)
class CustomerRegistered(Event):
    """Somebody signed up."""

    type: ClassVar[str] = "example.eventlab.customer.registered"
    entity: ClassVar[str] = "customer_id"
    customer_id: Id
    name: Name
    country: Country


@dataclass(frozen=True, slots=True)
class ProductListed(Event):
    """The catalogue has a product, at this price from now on."""

    type: ClassVar[str] = "example.eventlab.product.listed"
    entity: ClassVar[str] = "product_id"
    product_id: Id
    name: Name
    category: Id
    unit_price: Money


EVENTS: Mapping[str, type[Event]] = {
    kind.type: kind
    for kind in (
        *(OrderCreated, PaymentFailed, OrderPaid, ShipmentSent, ShipmentDelivered),
        *(OrderCancelled, OrderRefunded, CustomerRegistered, ProductListed),
    )
}
