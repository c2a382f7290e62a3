"""The order domain: what a shop sells, to whom, and how an order gets paid and shipped.

Frozen values on the standard library alone: no Kafka, no SQL, no DataFrame. Money is a `Decimal`
with two places and never a float: 0.1 + 0.2 is not 0.3 in binary, while a Decimal is exact, reads
as people write it and goes into a SQL NUMERIC column as it is. Every time is in UTC.

    order = Order("O-0000001", "C-00042", datetime.now(UTC), OrderStatus.CREATED,
                  (Item("GRUMPY-TEAPOT", 2, Decimal("39.90")),))
    order.total_amount                           # Decimal('79.80')
    Order.from_json(order.to_json()) == order    # True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from eventlab.orders import wire
from eventlab.orders.errors import StepNotAllowed
from eventlab.orders.kinds import (
    Country,
    Currency,
    Id,
    Money,
    Name,
    Quantity,
    Time,
    check_fields,
    from_fields,
    to_fields,
)
from eventlab.orders.values import check_member, check_money, wrong


class OrderStatus(StrEnum):
    """How far an order has come; `may_become` says where it can go from there."""

    CREATED = "created"
    PAID = "paid"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"

    def may_become(self, status: OrderStatus) -> bool:
        """Say whether `status` can directly follow this one."""
        return status in _NEXT[self]


_NEXT: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.CREATED: frozenset({OrderStatus.PAID, OrderStatus.CANCELLED}),
    OrderStatus.PAID: frozenset(
        {OrderStatus.PARTLY_SHIPPED, OrderStatus.SHIPPED, OrderStatus.REFUNDED}
    ),
    OrderStatus.PARTLY_SHIPPED: frozenset({OrderStatus.SHIPPED}),
    OrderStatus.SHIPPED: frozenset({OrderStatus.DELIVERED}),
    OrderStatus.DELIVERED: frozenset({OrderStatus.REFUNDED}),
    OrderStatus.CANCELLED: frozenset(),
    OrderStatus.REFUNDED: frozenset(),
}


class PaymentStatus(StrEnum):
    """What one payment did: brought the money in, failed to, or gave it back."""

    CAPTURED = "captured"
    FAILED = "failed"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Customer:
    """Who orders. `country` is an ISO 3166 code of two letters, `since` the first visit (UTC)."""

    customer_id: Id
    name: Name
    country: Country
    since: Time

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class Product:
    """What is sold. `unit_price` is today's price in the catalogue; an order keeps its own."""

    product_id: Id
    name: Name
    category: Id
    unit_price: Money

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an order: a product, how many, and the price of one when it was ordered."""

    product_id: Id
    quantity: Quantity
    unit_price: Money

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class Order:
    """What a customer wants, and how far it has come; `total_amount` is the sum of its items."""

    order_id: Id
    customer_id: Id
    created: Time
    status: OrderStatus
    items: tuple[Item, ...]
    total_amount: Money = field(init=False)
    currency: Currency = "EUR"

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "total_amount", total(self.items))  # never a second opinion

    def with_status(self, status: OrderStatus) -> Order:
        """Return this order one step further; StepNotAllowed when the step is not allowed."""
        check_member("status", status, OrderStatus)
        if not self.status.may_become(status):
            allowed = ", ".join(s for s in OrderStatus if self.status.may_become(s)) or "nothing"
            raise StepNotAllowed(
                f"An order that is {self.status} cannot become {status}.",
                f"This one is {self.order_id}.",
                f"From {self.status} it can become: {allowed}.",
            )
        return replace(self, status=status)

    def to_json(self) -> bytes:
        """Return the order as UTF-8 JSON: fixed key order, money as text, times ending in Z."""
        return wire.dumps(to_fields(self))

    @classmethod
    def from_json(cls, value: bytes) -> Order:
        """Read what `to_json` wrote; DomainError when the bytes are not an order.

        Fields that this version does not know are skipped, so that a publisher may add some.
        """
        return from_fields(cls, wire.loads(value))


def total(items: tuple[Item, ...]) -> Decimal:
    """Return the sum of quantity times unit_price; EventValidationError when it is too much."""
    amount = sum((item.unit_price * item.quantity for item in items), Decimal("0.00"))
    check_money("total_amount", amount)
    return amount


@dataclass(frozen=True, slots=True)
class Payment:
    """One movement of money, or a failed try; `amount` is positive, a refund flows back."""

    payment_id: Id
    order_id: Id
    created: Time
    status: PaymentStatus
    amount: Money
    method: Id
    currency: Currency = "EUR"

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class ShippedItem:
    """How many of one product are in a shipment."""

    product_id: Id
    quantity: Quantity

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class Shipment:
    """One parcel, with all of an order or a part of it; `delivered` is None on the road."""

    shipment_id: Id
    order_id: Id
    carrier: Name
    shipped: Time
    delivered: Time | None
    items: tuple[ShippedItem, ...]

    def __post_init__(self) -> None:
        check_fields(self)
        if self.delivered is not None and self.delivered < self.shipped:
            raise wrong("delivered", self.delivered, "It cannot be earlier than shipped.")
