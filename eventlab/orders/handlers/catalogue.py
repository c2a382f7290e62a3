"""Customers and products: the newest event of one says how it is now."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table

from eventlab.orders.events import CustomerRegistered, ProductListed
from eventlab.orders.store.schema import customers, products
from eventlab.orders.store.upsert import insert


def handle_customer_registered(event: CustomerRegistered, db: Connection) -> None:
    """Write the customer, or how they call themselves now; `since` stays the first time."""
    row = {"customer_id": event.customer_id, "name": event.name, "country": event.country}
    _write(db, customers, {**row, "since": event.time}, ("name", "country"))


def handle_product_listed(event: ProductListed, db: Connection) -> None:
    """Write the product, or what it costs now; orders keep the price that they were made at."""
    row = {"product_id": event.product_id, "name": event.name, "category": event.category}
    changes = ("name", "category", "unit_price_cents")
    _write(db, products, {**row, "unit_price_cents": event.unit_price}, changes)


def _write(db: Connection, table: Table, row: dict[str, Any], changes: tuple[str, ...]) -> None:
    query = insert(db, table).values(row)
    changed = {name: query.excluded[name] for name in changes}
    db.execute(query.on_conflict_do_update(index_elements=table.primary_key, set_=changed))
