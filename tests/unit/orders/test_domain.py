"""An order can only be what a real one can be, and its JSON brings it back exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from eventlab.orders.errors import DomainError
from tests.unit.orders import made

NOW = datetime(2026, 6, 1, 8, 15, tzinfo=UTC)
TEAPOTS = Item("GRUMPY-TEAPOT", 2, Decimal("39.90"))
ORDER = Order("O-0000001", "C-00042", NOW, OrderStatus.CREATED, (TEAPOTS,))
JSON = (
    b'{"order_id":"O-0000001","customer_id":"C-00042","created":"2026-06-01T08:15:00Z",'
    b'"status":"created","items":[{"product_id":"GRUMPY-TEAPOT","quantity":2,'
    b'"unit_price":"39.90"}],"total_amount":"79.80","currency":"EUR"}'
)

ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", fullmatch=True)
prices = st.integers(1, 999_999_999_999).map(lambda cents: Decimal(cents).scaleb(-2))
items = st.builds(Item, ids, st.integers(1, 1_000_000), prices)
orders = st.builds(
    lambda *fields: fields,
    ids,
    ids,
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(OrderStatus),
    st.lists(items, min_size=1, max_size=5).map(tuple),
    st.from_regex(r"[A-Z]{3}", fullmatch=True),
).filter(lambda fields: sum(i.unit_price * i.quantity for i in fields[4]) < 10**10)


def test_total_is_the_sum_of_the_items():
    rug = Item("SHY-RUG", 3, Decimal("0.10"))
    order = Order("O-1", "C-1", NOW, OrderStatus.CREATED, (TEAPOTS, rug))
    assert order.total_amount == Decimal("80.10")
    assert str(order.total_amount) == "80.10"


def test_json_is_readable_and_has_a_fixed_order():
    assert ORDER.to_json() == JSON


@made.SLOWLY
@given(orders)
def test_json_brings_back_every_order(fields):
    order = Order(*fields)
    assert Order.from_json(order.to_json()) == order


def test_json_may_have_fields_of_a_later_version():
    assert Order.from_json(JSON.replace(b'{"order_id"', b'{"gift":true,"order_id"', 1)) == ORDER


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b'"79.80"', b'"79.81"'),
        (b'"79.80"', b"79.80"),
        (b'"39.90"', b'"NaN"'),
        (b'"39.90"', b'"39.9"'),
        (b'"39.90"', b'"-39.90"'),
        (b'"39.90"', b"39.90"),
        (b":2,", b":NaN,"),
        (b":2,", b":true,"),
        (b":2,", b":2.0,"),
        (b":2,", b":0,"),
        (b'"C-00042"', rb'"\ud800"'),
        (b'"C-00042"', b'"\xff"'),
        (b'"C-00042"', b'""'),
        (b'"C-00042"', b"null"),
        (b"00Z", b"00"),
        (b"00Z", b"00+02:00"),
        (b"2026-06-01", b"2026-02-30"),
        (b"T08", b"T24"),
        (b'"created",', b'"lost",'),
        (b'"EUR"', b'"eur"'),
        (b'"items":[', b'"items":[7,'),
        (b'"currency"', b'"money"'),
        (b'"EUR"}', b'"EUR"'),
    ],
)
def test_json_of_no_order_is_refused(was, becomes):
    wrong = JSON.replace(was, becomes)
    assert wrong != JSON
    with pytest.raises(DomainError):
        Order.from_json(wrong)


@pytest.mark.parametrize("value", [None, b"", b"7", b"[]", b"null", b"[" * 100_000, "text", 7])
def test_a_record_without_an_order_is_refused(value):
    with pytest.raises(DomainError):
        Order.from_json(value)


def test_a_status_moves_only_along_the_allowed_steps():
    allowed = {(a.value, b.value) for a in OrderStatus for b in OrderStatus if a.may_become(b)}
    assert allowed == {
        ("created", "paid"),
        ("created", "cancelled"),
        ("paid", "partly_shipped"),
        ("paid", "shipped"),
        ("paid", "refunded"),
        ("partly_shipped", "shipped"),
        ("shipped", "delivered"),
        ("delivered", "refunded"),
    }


def test_with_status_returns_another_order_or_says_what_is_allowed():
    assert ORDER.with_status(OrderStatus.PAID).status is OrderStatus.PAID
    assert ORDER.status is OrderStatus.CREATED
    with pytest.raises(DomainError, match=r"From created it can become: paid, cancelled\."):
        ORDER.with_status(OrderStatus.DELIVERED)
    with pytest.raises(DomainError):
        ORDER.with_status("paid")


@pytest.mark.parametrize(
    "change",
    [
        {"order_id": ""},
        {"order_id": "O 1"},
        {"order_id": 1},
        {"customer_id": "\ud800"},
        {"created": NOW.replace(tzinfo=None)},
        {"created": NOW.astimezone(timezone(timedelta(hours=2)))},
        {"created": "2026-06-01T08:15:00Z"},
        {"status": "created"},
        {"items": ()},
        {"items": [TEAPOTS]},
        {"items": ("GRUMPY-TEAPOT",)},
        {"items": (Item("SHY-RUG", 1_000_000, Decimal("9999999999.99")),)},
        {"currency": "EURO"},
    ],
)
def test_an_order_that_cannot_be_is_refused(change):
    fields = {
        "order_id": "O-1",
        "customer_id": "C-1",
        "created": NOW,
        "status": OrderStatus.CREATED,
        "items": (TEAPOTS,),
    }
    Order(**fields)
    with pytest.raises(DomainError):
        Order(**{**fields, **change})


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Customer("C-1", "", "DE", NOW),
        lambda: Customer("C-1", "\ud800", "DE", NOW),
        lambda: Customer("C-1", "Zoë\n", "DE", NOW),
        lambda: Customer("C-1", "Zoë", "Germany", NOW),
        lambda: Product("SHY-RUG", "Shy rug", "living", 12.9),
        lambda: Product("SHY-RUG", "Shy rug", "living", Decimal("0.00")),
        lambda: Item("SHY-RUG", True, Decimal("1.00")),
        lambda: Payment("P-1", "O-1", NOW, "captured", Decimal("1.00"), "card"),
        lambda: Payment("P-1", "O-1", NOW, PaymentStatus.CAPTURED, Decimal("NaN"), "card"),
        lambda: Shipment("S-1", "O-1", "Pigeon Post", NOW, None, ()),
        lambda: Shipment(
            *("S-1", "O-1", "Pigeon Post", NOW, NOW - timedelta(1), (ShippedItem("SHY-RUG", 1),))
        ),
    ],
)
def test_whatever_else_cannot_be_is_refused(wrong):
    with pytest.raises(DomainError):
        wrong()
