"""The shop has products that one remembers, and customers of whom a few order very often."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from eventlab.orders.catalogue import CUSTOMERS, PRODUCTS, a_customer_id, a_product, customers
from eventlab.orders.demand import START
from eventlab.orders.dice import Dice
from eventlab.orders.domain import Product


def test_products_are_the_same_for_every_seed():
    assert PRODUCTS[0] == Product("GRUMPY-TEAPOT", "Grumpy teapot", "kitchen", Decimal("39.90"))
    assert len({product.product_id for product in PRODUCTS}) == len(PRODUCTS) == 120


def test_customers_are_numbered_and_signed_up_before_the_first_order():
    everyone = list(customers(7))
    assert [c.customer_id for c in everyone] == [f"C-{n:05d}" for n in range(1, CUSTOMERS + 1)]
    assert all(customer.since < START for customer in everyone)
    assert everyone != list(customers(8))


def test_popularity_has_a_heavy_tail():
    dice = Dice("tail")
    counts = Counter(a_customer_id(dice) for _ in range(20_000))
    ranked = [count for _, count in counts.most_common()]
    assert counts.most_common(1)[0][0] == "C-00042"
    assert 0.2 < sum(ranked[: CUSTOMERS // 100]) / 20_000 < 0.3  # the top 1 % buys a quarter
    assert ranked[0] > 40 * ranked[len(ranked) // 2]


def test_every_product_sells_and_the_teapot_sells_best():
    dice = Dice("fashion")
    counts = Counter(a_product(dice).product_id for _ in range(20_000))
    assert counts.most_common(1)[0][0] == "GRUMPY-TEAPOT"
    assert len(counts) == 120
