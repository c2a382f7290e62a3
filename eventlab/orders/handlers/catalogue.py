"""Customers and products: the newest event of one says how it is now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Table

from eventlab.orders.events import CustomerRegistered, ProductListed
from eventlab.orders.store.schema import customers, products
from eventlab.orders.store.upsert import insert


def handle_customer_registered(event: CustomerRegistered, db: Connection) -> None:
    """Write the customer, or how they call themselves now; `since` stays the first time."""
    write_customers([event], db)


def handle_product_listed(event: ProductListed, db: Connection) -> None:
    """Write the product, or what it costs now; orders keep the price that they were made at."""
    write_products([event], db)


def write_customers(events: Iterable[CustomerRegistered], db: Connection) -> None:
    """Write several customers, in the order of their events."""
    rows = [
        {"customer_id": e.customer_id, "name": e.name, "country": e.country, "since": e.time}
        for e in events
    ]
    _write(db, customers, rows, ("name", "country"))


def write_products(events: Iterable[ProductListed], db: Connection) -> None:
    """Write several products, in the order of their events."""
    rows = [
        {
            "product_id": e.product_id,
            "name": e.name,
            "category": e.category,
            "unit_price_cents": e.unit_price,
        }
        for e in events
    ]
    _write(db, products, rows, ("name", "category", "unit_price_cents"))


def _write(
    db: Connection, table: Table, rows: list[dict[str, Any]], changes: tuple[str, ...]
) -> None:
    query = insert(db, table)
    changed = {name: query.excluded[name] for name in changes}
    db.execute(query.on_conflict_do_update(index_elements=table.primary_key, set_=changed), rows)
