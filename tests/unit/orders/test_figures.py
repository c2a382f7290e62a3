"""Each figure and each column that data/README.md tells of is what the files hold."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest

from eventlab.bundled import bundled
from eventlab.orders import PaymentStatus, tables
from eventlab.orders.files import read

README = (bundled("data") / "README.md").read_text(encoding="utf-8")
ALL_TABLES = [tables.ORDERS, tables.ITEMS, tables.CUSTOMERS, tables.PRODUCTS]
ALL_TABLES += [tables.PAYMENTS, tables.SHIPMENTS]


def told():
    section = README.split("## What is in it")[1].split("## ")[0]
    return dict(re.findall(r"^\| (.+) \| ([0-9,.]+) \|$", section, re.MULTILINE))


def figures(orders):
    payments = list(read(tables.PAYMENTS))
    shipments, created = list(read(tables.SHIPMENTS)), {o.order_id: o.created for o in orders}
    customers = Counter(order.customer_id for order in orders)
    hours = Counter(order.created.hour for order in orders)
    captured = [p for p in payments if p.status is PaymentStatus.CAPTURED]
    failed = {p.order_id for p in payments if p.status is PaymentStatus.FAILED}
    late = [p for p in captured if p.created - created[p.order_id] > timedelta(days=7)]
    parcels = Counter(shipment.order_id for shipment in shipments)
    yield "orders", len(orders)
    yield "items", sum(len(order.items) for order in orders)
    yield "customers", sum(1 for _ in read(tables.CUSTOMERS))
    yield "customers who ordered", len(customers)
    yield "products", sum(1 for _ in read(tables.PRODUCTS))
    yield "payments", len(payments)
    yield "shipments", len(shipments)
    for status, count in Counter(order.status for order in orders).items():
        yield f"orders: {status}", count
    yield "orders of the top 1 % of all customers", sum(n for _, n in customers.most_common(20))
    yield "orders of C-00042, who orders most", max(customers.values())
    yield "busiest hour of the day (UTC)", hours.most_common(1)[0][0]
    yield "orders in the busiest hour of the day", max(hours.values())
    yield "orders in the quietest hour of the day", min(hours.values())
    yield "orders paid after a failed try", sum(p.order_id in failed for p in captured)
    yield "orders paid more than 7 days after they were created", len(late)
    yield "orders in two parcels", list(parcels.values()).count(2)
    yield "sum of all orders in EUR", sum(order.total_amount for order in orders)


def test_the_figures_are_true(bundled_orders):
    assert told() == {fact: f"{figure:,}" for fact, figure in figures(bundled_orders)}


def test_nothing_happened_after_the_book_was_closed():
    times = [payment.created for payment in read(tables.PAYMENTS)]
    times += [shipment.delivered or shipment.shipped for shipment in read(tables.SHIPMENTS)]
    assert "2026-06-29 at 00:00 UTC" in README
    assert max(times).isoformat() < "2026-06-29T00:00:00+00:00"


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_the_columns_are_those_of_the_file(table):
    section = README.split(f"**{table.name}.csv**")[1].split("**")[0].split("## ")[0]
    names = re.findall(r"^\| ([a-z_]+) \| ", section, re.MULTILINE)[1:]
    header = (bundled("data") / f"{table.name}.csv").read_text(encoding="utf-8").split("\n")[0]
    assert names == list(table.columns) == header.split(",")


def test_items_cost_what_the_catalogue_says_or_a_tenth_less(bundled_orders):
    prices = {product.product_id: product.unit_price for product in read(tables.PRODUCTS)}
    shares = Counter(
        item.unit_price / prices[item.product_id]
        for order in bundled_orders
        for item in order.items
    )
    assert set(shares) == {Decimal("1"), Decimal("0.9")}


def test_rows_are_in_the_order_of_the_orders(bundled_orders):
    assert list(bundled_orders) == sorted(bundled_orders, key=lambda o: (o.created, o.order_id))
    for table in (tables.PAYMENTS, tables.SHIPMENTS):
        ids = [value.order_id for value in read(table)]
        assert ids == sorted(ids)
