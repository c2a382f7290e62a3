"""What the tables have, as JSON: one order, pages of orders and products; and its schemas."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from eventlab.orders.domain import Order, OrderStatus, Payment, Product, Shipment
from eventlab.orders.kinds import object_schema, to_fields
from eventlab.orders.sale import Sale
from eventlab.orders.store import Store
from eventlab.orders.store.sales import find_sale
from eventlab.orders.store.schema import orders, products
from eventlab.orders.values import to_iso
from eventlab.orders.web.errors import OrderNotFound

_TEXT = {"type": "string"}
ACCEPTED = {
    "type": "object",
    "properties": dict.fromkeys(("event_id", "order_id", "type"), _TEXT),
    "required": ["event_id", "order_id", "type"],
}
_ORDER = object_schema(Order)
SALE = {
    **_ORDER,
    "properties": {
        **_ORDER["properties"],
        "payments": {"type": "array", "items": object_schema(Payment)},
        "shipments": {"type": "array", "items": object_schema(Shipment)},
        "cancelled": {"type": ["string", "null"]},
    },
    "required": [*_ORDER["required"], "payments", "shipments", "cancelled"],
}
_HEAD = ("order_id", "customer_id", "created", "status", "total_amount", "currency", "changed")


def order(store: Store, order_id: str) -> dict[str, Any]:
    """Return an order with its payments and shipments; OrderNotFound when there is none."""
    with store.reading() as db:
        sale = find_sale(db, order_id)
    if sale is None:
        raise OrderNotFound(
            "There is no such order.",
            f"You asked for {order_id}.",
            "If it was accepted a moment ago, ask again; it is on its way to the tables.",
        )
    return fields_of(sale)


def fields_of(sale: Sale) -> dict[str, Any]:
    """Return a sale as JSON has it."""
    return {
        **to_fields(sale.order),
        "payments": [to_fields(payment) for payment in sale.payments],
        "shipments": [to_fields(shipment) for shipment in sale.shipments],
        "cancelled": to_iso(sale.cancelled) if sale.cancelled else None,
    }


def orders_page(
    store: Store,
    limit: int,
    after: str | None = None,
    customer_id: str | None = None,
    status: OrderStatus | None = None,
) -> dict[str, Any]:
    """Return the heads of at most `limit` orders after an id, and the id to go on after."""
    query = select(orders).order_by(orders.c.order_id).limit(limit + 1)
    if after is not None:
        query = query.where(orders.c.order_id > after)
    if customer_id is not None:
        query = query.where(orders.c.customer_id == customer_id)
    if status is not None:
        query = query.where(orders.c.status == status)
    return _page("orders", [_head(row) for row in _rows(store, query)], limit, "order_id")


def products_page(store: Store, limit: int, after: str | None = None) -> dict[str, Any]:
    """Return at most `limit` products after an id, and the id to go on after."""
    query = select(products).order_by(products.c.product_id).limit(limit + 1)
    if after is not None:
        query = query.where(products.c.product_id > after)
    found = [to_fields(Product(*row)) for row in _rows(store, query)]
    return _page("products", found, limit, "product_id")


def _rows(store: Store, query: Select[Any]) -> list[Any]:
    with store.reading() as db:
        return list(db.execute(query))


def _page(name: str, found: list[dict[str, Any]], limit: int, key: str) -> dict[str, Any]:
    here = found[:limit]
    return {name: here, "next": here[-1][key] if len(found) > limit else None}


def _head(row: Any) -> dict[str, Any]:
    return {
        "order_id": row.order_id,
        "customer_id": row.customer_id,
        "created": to_iso(row.created),
        "status": row.status,
        "total_amount": str(row.total_cents),
        "currency": row.currency,
        "changed": to_iso(row.changed),
    }


def _page_schema(name: str, item: dict[str, Any]) -> dict[str, Any]:
    properties = {name: {"type": "array", "items": item}, "next": {"type": ["string", "null"]}}
    return {"type": "object", "properties": properties, "required": [name, "next"]}


ORDERS = _page_schema(
    "orders",
    {"type": "object", "properties": dict.fromkeys(_HEAD, _TEXT), "required": list(_HEAD)},
)
PRODUCTS = _page_schema("products", object_schema(Product))
