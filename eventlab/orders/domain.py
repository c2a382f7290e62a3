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
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from eventlab.orders import wire
from eventlab.orders.values import (
    DomainError,
    check_code,
    check_id,
    check_items,
    check_member,
    check_money,
    check_name,
    check_quantity,
    check_time,
    from_iso,
    from_text,
    to_iso,
    wrong,
)


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

    customer_id: str
    name: str
    country: str
    since: datetime

    def __post_init__(self) -> None:
        check_id("customer_id", self.customer_id)
        check_name("name", self.name)
        check_code("country", self.country, 2)
        check_time("since", self.since)


@dataclass(frozen=True, slots=True)
class Product:
    """What is sold. `unit_price` is today's price in the catalogue; an order keeps its own."""

    product_id: str
    name: str
    category: str
    unit_price: Decimal

    def __post_init__(self) -> None:
        check_id("product_id", self.product_id)
        check_name("name", self.name)
        check_id("category", self.category)
        check_money("unit_price", self.unit_price)


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an order: a product, how many, and the price of one when it was ordered."""

    product_id: str
    quantity: int
    unit_price: Decimal

    def __post_init__(self) -> None:
        check_id("product_id", self.product_id)
        check_quantity("quantity", self.quantity)
        check_money("unit_price", self.unit_price)

    def _fields(self) -> dict[str, object]:
        return {
            "product_id": self.product_id,
            "quantity": self.quantity,
            "unit_price": str(self.unit_price),
        }

    @classmethod
    def _from(cls, decoded: object) -> Item:
        fields = wire.as_object(decoded)
        return cls(
            product_id=wire.take(fields, "product_id", str),
            quantity=wire.take(fields, "quantity", int),
            unit_price=wire.read(fields, "unit_price", from_text),
        )


@dataclass(frozen=True, slots=True)
class Order:
    """What a customer wants, and how far it has come; `total_amount` is the sum of its items."""

    order_id: str
    customer_id: str
    created: datetime
    status: OrderStatus
    items: tuple[Item, ...]
    total_amount: Decimal = field(init=False)
    currency: str = "EUR"

    def __post_init__(self) -> None:
        check_id("order_id", self.order_id)
        check_id("customer_id", self.customer_id)
        check_time("created", self.created)
        check_member("status", self.status, OrderStatus)
        check_items("items", self.items, Item)
        check_code("currency", self.currency, 3)
        total = sum((i.unit_price * i.quantity for i in self.items), Decimal("0.00"))
        check_money("total_amount", total)
        object.__setattr__(self, "total_amount", total)  # frozen, and never a second opinion

    def with_status(self, status: OrderStatus) -> Order:
        """Return this order one step further; DomainError when the step is not allowed."""
        check_member("status", status, OrderStatus)
        if not self.status.may_become(status):
            allowed = ", ".join(s for s in OrderStatus if self.status.may_become(s)) or "nothing"
            raise DomainError(
                f"An order that is {self.status} cannot become {status}.",
                f"This one is {self.order_id}.",
                f"From {self.status} it can become: {allowed}.",
            )
        return replace(self, status=status)

    def to_json(self) -> bytes:
        """Return the order as UTF-8 JSON: fixed key order, money as text, times ending in Z."""
        return wire.dumps(
            {
                "order_id": self.order_id,
                "customer_id": self.customer_id,
                "created": to_iso(self.created),
                "status": self.status,
                "items": [item._fields() for item in self.items],
                "total_amount": str(self.total_amount),
                "currency": self.currency,
            }
        )

    @classmethod
    def from_json(cls, value: bytes) -> Order:
        """Read what `to_json` wrote; DomainError when the bytes are not an order.

        Fields that this version does not know are skipped, so that a publisher may add some.
        """
        fields = wire.loads(value)
        order = cls(
            order_id=wire.take(fields, "order_id", str),
            customer_id=wire.take(fields, "customer_id", str),
            created=wire.read(fields, "created", from_iso),
            status=wire.read(fields, "status", OrderStatus),
            items=tuple(Item._from(item) for item in wire.take(fields, "items", list)),
            currency=wire.take(fields, "currency", str),
        )
        total = wire.read(fields, "total_amount", from_text)
        if total != order.total_amount:
            raise DomainError(
                f"The total_amount of {order.order_id} is not the sum of its items.",
                f"It says {total}, its items make {order.total_amount}.",
                "Send the sum of quantity times unit_price.",
            )
        return order


@dataclass(frozen=True, slots=True)
class Payment:
    """One movement of money, or a failed try; `amount` is positive, a refund flows back."""

    payment_id: str
    order_id: str
    created: datetime
    status: PaymentStatus
    amount: Decimal
    method: str
    currency: str = "EUR"

    def __post_init__(self) -> None:
        check_id("payment_id", self.payment_id)
        check_id("order_id", self.order_id)
        check_time("created", self.created)
        check_member("status", self.status, PaymentStatus)
        check_money("amount", self.amount)
        check_id("method", self.method)
        check_code("currency", self.currency, 3)


@dataclass(frozen=True, slots=True)
class ShippedItem:
    """How many of one product are in a shipment."""

    product_id: str
    quantity: int

    def __post_init__(self) -> None:
        check_id("product_id", self.product_id)
        check_quantity("quantity", self.quantity)


@dataclass(frozen=True, slots=True)
class Shipment:
    """One parcel, with all of an order or a part of it; `delivered` is None on the road."""

    shipment_id: str
    order_id: str
    carrier: str
    shipped: datetime
    delivered: datetime | None
    items: tuple[ShippedItem, ...]

    def __post_init__(self) -> None:
        check_id("shipment_id", self.shipment_id)
        check_id("order_id", self.order_id)
        check_name("carrier", self.carrier)
        check_time("shipped", self.shipped)
        check_items("items", self.items, ShippedItem)
        if self.delivered is not None:
            check_time("delivered", self.delivered)
            if self.delivered < self.shipped:
                raise wrong("delivered", self.delivered, "It cannot be earlier than shipped.")
