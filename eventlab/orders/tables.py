"""The six tables of a shop: which value a row of each file is, and how each column is written.

A column is called as the field of the value. `Head` and `Line` are the two halves of an order:
a file of rows cannot hold a tuple of items, so the items have a file of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, NamedTuple, TypeVar

from eventlab.orders.domain import (
    Customer,
    Item,
    Order,
    OrderStatus,
    Payment,
    PaymentStatus,
    Product,
    Shipment,
    ShippedItem,
)
from eventlab.orders.values import check_id, from_iso, from_text, to_iso

T = TypeVar("T")


class Column(NamedTuple):
    """How a field becomes text, and a text the field again; `read` raises ValueError."""

    write: Callable[[Any], str]
    read: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Table(Generic[T]):
    """One CSV file, named as its rows are called."""

    name: str
    kind: Callable[..., T]
    columns: Mapping[str, Column]

    def row(self, value: T) -> list[str]:
        """Return the value as texts."""
        return [column.write(getattr(value, name)) for name, column in self.columns.items()]

    def value(self, row: Sequence[str]) -> T:
        """Return the value of a row; ValueError when there is none."""
        cells = zip(self.columns.items(), row, strict=True)
        return self.kind(**{name: column.read(text) for (name, column), text in cells})


@dataclass(frozen=True, slots=True)
class Line:
    """An item of an order, as a row."""

    order_id: str
    product_id: str
    quantity: int
    unit_price: Decimal

    def __post_init__(self) -> None:
        check_id("order_id", self.order_id)
        self.item()  # raises here, where the row is known

    def item(self) -> Item:
        """Return the item without its order."""
        return Item(self.product_id, self.quantity, self.unit_price)


@dataclass(frozen=True, slots=True)
class Head:
    """An order without its items, as a row."""

    order_id: str
    customer_id: str
    created: datetime
    status: OrderStatus
    total_amount: Decimal
    currency: str

    def order(self, items: tuple[Item, ...]) -> Order:
        """Return the order with its items; ValueError when they make another total."""
        order = Order(
            self.order_id, self.customer_id, self.created, self.status, items, self.currency
        )
        if order.total_amount != self.total_amount:
            raise ValueError(f"its items make {order.total_amount}")
        return order


def _whole(text: str) -> int:
    if not re.fullmatch("[0-9]{1,7}", text):  # int() would take ' 1_0 ' for ten
        raise ValueError(text)
    return int(text)


def _write_parcel(items: Sequence[ShippedItem]) -> str:
    return ";".join(f"{item.quantity} {item.product_id}" for item in items)


def _read_parcel(text: str) -> tuple[ShippedItem, ...]:
    pairs = (part.partition(" ") for part in text.split(";"))
    return tuple(ShippedItem(product_id, _whole(quantity)) for quantity, _, product_id in pairs)


_TEXT = Column(str, str)
_WHOLE = Column(str, _whole)
_MONEY = Column(str, from_text)
_TIME = Column(to_iso, from_iso)
_TIME_OR_NOTHING = Column(lambda t: to_iso(t) if t else "", lambda s: from_iso(s) if s else None)

CUSTOMERS = Table(
    "customers",
    Customer,
    {"customer_id": _TEXT, "name": _TEXT, "country": _TEXT, "since": _TIME},
)
PRODUCTS = Table(
    "products",
    Product,
    {"product_id": _TEXT, "name": _TEXT, "category": _TEXT, "unit_price": _MONEY},
)
ORDERS = Table(
    "orders",
    Head,
    {
        "order_id": _TEXT,
        "customer_id": _TEXT,
        "created": _TIME,
        "status": Column(str, OrderStatus),
        "total_amount": _MONEY,
        "currency": _TEXT,
    },
)
ITEMS = Table(
    "items",
    Line,
    {"order_id": _TEXT, "product_id": _TEXT, "quantity": _WHOLE, "unit_price": _MONEY},
)
PAYMENTS = Table(
    "payments",
    Payment,
    {
        "payment_id": _TEXT,
        "order_id": _TEXT,
        "created": _TIME,
        "status": Column(str, PaymentStatus),
        "amount": _MONEY,
        "method": _TEXT,
        "currency": _TEXT,
    },
)
SHIPMENTS = Table(
    "shipments",
    Shipment,
    {
        "shipment_id": _TEXT,
        "order_id": _TEXT,
        "carrier": _TEXT,
        "shipped": _TIME,
        "delivered": _TIME_OR_NOTHING,
        "items": Column(_write_parcel, _read_parcel),
    },
)
