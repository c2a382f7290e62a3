"""What one may ask of the shop: a command reads as an order to do something, and makes an event.

    PayOrder(Decimal("79.80"), "card").event(sale)         # OrderPaid, or OrderConflict

Fields are kinds of the domain, so how they are checked and what OpenAPI says of them is one thing.
A command is judged by the tables as they are now, which may be a moment behind the topic. So a
refusal here is a courtesy, and the handlers have the last word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any, TypeVar, get_args
from uuid import uuid4

from sqlalchemy import Connection, select

from eventlab.errors import shown
from eventlab.orders.domain import Item, ShippedItem
from eventlab.orders.errors import DomainError, EventValidationError
from eventlab.orders.events import (
    Event,
    OrderCancelled,
    OrderCreated,
    OrderPaid,
    OrderRefunded,
    ShipmentDelivered,
    ShipmentSent,
)
from eventlab.orders.fold import apply
from eventlab.orders.kinds import Id, Kind, Money, Name, from_fields, object_schema
from eventlab.orders.kinds import check_fields as check
from eventlab.orders.sale import Sale
from eventlab.orders.store.sales import find_cause, find_sale
from eventlab.orders.store.schema import customers, products
from eventlab.orders.web.errors import OrderConflict, OrderNotFound

C = TypeVar("C")

SOURCE = "/shop/web"

_MONEY: Kind = get_args(Money)[1]
_NOT_ZERO = {**_MONEY.schema, "not": {"pattern": r"^0+\.00$"}}  # a pattern cannot say it alone
Amount = Annotated[Decimal, replace(_MONEY, schema=_NOT_ZERO)]


@dataclass(frozen=True, slots=True)
class CreateOrder:
    """A customer wants these products; the catalogue has the prices, whoever asks has none."""

    customer_id: Id
    items: tuple[ShippedItem, ...]

    def __post_init__(self) -> None:
        check(self)

    def event(self, order_id: str, db: Connection) -> Event:
        """Return what happened; OrderConflict for a customer or product that is not known yet."""
        wanted = [item.product_id for item in self.items]
        known = select(products.c.product_id, products.c.unit_price_cents)
        rows = db.execute(known.where(products.c.product_id.in_(wanted)))
        prices: dict[str, Decimal] = {row[0]: row[1] for row in rows}
        for product_id in wanted:
            if product_id not in prices:
                raise _unknown("product", product_id)
        there = select(customers.c.customer_id).where(customers.c.customer_id == self.customer_id)
        if db.execute(there).first() is None:
            raise _unknown("customer", self.customer_id)
        items = tuple(Item(i.product_id, i.quantity, prices[i.product_id]) for i in self.items)
        return _decided(lambda: OrderCreated(order_id, self.customer_id, items, source=SOURCE))


@dataclass(frozen=True, slots=True)
class _Step:
    """A command to an order that is there."""

    def __post_init__(self) -> None:
        check(self)

    def event(self, order_id: str, db: Connection) -> Event:
        """Return what happened; OrderNotFound, or OrderConflict when it cannot happen now."""
        sale = find_sale(db, order_id)
        if sale is None:
            raise OrderNotFound(
                "There is no such order.",
                f"You asked for {order_id}.",
                "If it was accepted a moment ago, try again; else look for it with GET /orders.",
            )
        cause = find_cause(db, order_id)
        return _decided(lambda: self._allowed(sale, cause))

    def _allowed(self, sale: Sale, cause: Mapping[str, Any]) -> Event:
        event = replace(self._of(sale), **cause)
        apply(sale, event)
        return event

    def _of(self, sale: Sale) -> Event:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class PayOrder(_Step):
    """The money for an order is in."""

    amount: Amount
    method: Id
    payment_id: Id | None = None

    def _of(self, sale: Sale) -> Event:
        return OrderPaid(
            *(sale.order.order_id, self.payment_id or new_id("P"), self.amount, self.method),
            currency=sale.order.currency,
            source=SOURCE,
        )


@dataclass(frozen=True, slots=True)
class ShipOrder(_Step):
    """A parcel leaves, with these products, or with all that was not sent yet."""

    carrier: Name
    items: tuple[ShippedItem, ...] | None = None
    shipment_id: Id | None = None

    def _of(self, sale: Sale) -> Event:
        items = self.items or _left(sale)
        parcel = self.shipment_id or new_id("S")
        return ShipmentSent(sale.order.order_id, parcel, self.carrier, items, source=SOURCE)


@dataclass(frozen=True, slots=True)
class DeliverShipment(_Step):
    """A parcel has arrived."""

    shipment_id: Id

    def _of(self, sale: Sale) -> Event:
        return ShipmentDelivered(sale.order.order_id, self.shipment_id, source=SOURCE)


@dataclass(frozen=True, slots=True)
class CancelOrder(_Step):
    """Nobody will pay this order any more; the reason is for people."""

    reason: Name

    def _of(self, sale: Sale) -> Event:
        return OrderCancelled(sale.order.order_id, self.reason, source=SOURCE)


@dataclass(frozen=True, slots=True)
class RefundOrder(_Step):
    """The money goes back, all of it."""

    method: Id
    payment_id: Id | None = None

    def _of(self, sale: Sale) -> Event:
        order = sale.order
        return OrderRefunded(
            *(order.order_id, self.payment_id or new_id("P"), order.total_amount, self.method),
            currency=order.currency,
            source=SOURCE,
        )


def new_id(letter: str) -> str:
    """Return an id that nobody has given before and nobody can guess."""
    return f"{letter}-{uuid4()}"


def command_of(kind: Callable[..., C], fields: Mapping[str, Any]) -> C:
    """Return the command in decoded JSON; EventValidationError names the field that is wrong.

    A field that is not known is refused: with `itms` for `items` all of an order would be sent.
    """
    return from_fields(kind, _read(object_schema(kind), fields, ""))


def schema_of(kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of a command, which has no field that it does not name."""
    return _closed(object_schema(kind))


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    if schema["type"] == "array":
        return {**schema, "items": _closed(schema["items"])}
    if schema["type"] != "object":
        return schema
    properties = {name: _closed(each) for name, each in schema["properties"].items()}
    return {**schema, "properties": properties, "additionalProperties": False}


def _read(schema: Mapping[str, Any], value: Any, at: str) -> Any:
    """Return what JSON Schema means by a value: 2.0 is an integer, what is not named is wrong."""
    if schema["type"] == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if schema["type"] == "array" and isinstance(value, list):
        return [_read(schema["items"], each, f"{at}[{n}]") for n, each in enumerate(value)]
    if schema["type"] != "object" or not isinstance(value, Mapping):
        return value
    known = schema["properties"]
    place = f"{at}." if at else ""
    for name in value:
        if name not in known:
            seen, fix = f"You gave {shown(place + name)}.", f"Send only: {', '.join(known)}."
            raise EventValidationError("There is no such field.", seen, fix, field=place + name)
    return {name: _read(known[name], each, place + name) for name, each in value.items()}


def _decided(make: Callable[[], Event]) -> Event:
    """What the domain refuses of a well-formed command is refused because of what is there."""
    try:
        return make()
    except DomainError as error:
        raise OrderConflict(*error.args) from error


def _unknown(what: str, id_: str) -> OrderConflict:
    return OrderConflict(
        f"The shop knows no such {what}.",
        f"You gave {shown(id_)}.",
        f"If the {what} was registered a moment ago, try again.",
    )


def _left(sale: Sale) -> tuple[ShippedItem, ...]:
    left: Counter[str] = Counter()
    for item in sale.order.items:
        left[item.product_id] += item.quantity
    for parcel in sale.shipments:
        for sent in parcel.items:
            left[sent.product_id] -= sent.quantity
    return tuple(ShippedItem(product, count) for product, count in left.items() if count)
