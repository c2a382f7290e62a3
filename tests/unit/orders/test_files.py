"""The files in data/ are the first book of seed 7, and reading them forgives nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from eventlab.bundled import bundled
from eventlab.orders import read_orders, sample_orders, tables
from eventlab.orders.errors import DomainError
from eventlab.orders.files import read, write
from eventlab.orders.sample import sample_shop

NAMES = ["customers", "items", "orders", "payments", "products", "shipments"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    write(folder)
    return folder


@pytest.fixture
def small(tmp_path):
    write(tmp_path / "small", n=50)
    return tmp_path / "small"


def test_the_folder_holds_six_files_and_their_readme():
    assert sorted(path.name for path in bundled("data").iterdir()) == [
        "README.md",
        *(f"{name}.csv" for name in NAMES),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_makes_the_files_again_byte_for_byte(made, name):
    ours = (bundled("data") / f"{name}.csv").read_bytes()
    assert (made / f"{name}.csv").read_bytes() == ours
    assert b"\r" not in ours
    assert ours.endswith(b"\n")


def test_the_files_are_small_enough_to_clone():
    assert sum(path.stat().st_size for path in bundled("data").glob("*.csv")) < 3_000_000


def test_the_bundled_orders_are_the_sample_orders(bundled_orders):
    assert len(bundled_orders) == 10_000
    assert bundled_orders[:500] == tuple(sample_orders(500, seed=7))


def test_a_shop_comes_back_as_it_was(tmp_path):
    shop = sample_shop(500, seed=3)
    write(tmp_path, n=500, seed=3)
    assert tuple(read_orders(tmp_path)) == shop.orders
    for name in ("customers", "products", "payments", "shipments"):
        assert tuple(read(getattr(tables, name.upper()), tmp_path)) == getattr(shop, name)


def test_every_reference_has_something_to_refer_to(bundled_orders):
    orders = {order.order_id: order for order in bundled_orders}
    products = {product.product_id for product in read(tables.PRODUCTS)}
    customers = {customer.customer_id for customer in read(tables.CUSTOMERS)}
    assert {order.customer_id for order in orders.values()} <= customers
    assert {item.product_id for order in bundled_orders for item in order.items} <= products
    assert {payment.order_id for payment in read(tables.PAYMENTS)} <= set(orders)
    for shipment in read(tables.SHIPMENTS):
        wanted = {i.product_id: i.quantity for i in orders[shipment.order_id].items}
        assert {i.product_id: i.quantity for i in shipment.items}.items() <= wanted.items()


def test_every_id_is_there_once(bundled_orders):
    lines = Counter((o.order_id, item.product_id) for o in bundled_orders for item in o.items)
    payments = Counter(payment.payment_id for payment in read(tables.PAYMENTS))
    shipments = Counter(shipment.shipment_id for shipment in read(tables.SHIPMENTS))
    assert max([*lines.values(), *payments.values(), *shipments.values()]) == 1


def test_a_name_may_need_quotes(tmp_path):
    write(tmp_path, n=1)
    path = tmp_path / "customers.csv"
    text = path.read_text(encoding="utf-8")
    old = text.splitlines()[1].split(",")[1]
    path.write_text(text.replace(old, '"Łukasz ""Zoë"", junior"', 1), encoding="utf-8")
    assert next(read(tables.CUSTOMERS, tmp_path)).name == 'Łukasz "Zoë", junior'


@pytest.mark.parametrize("name", ["orders", "items"])
def test_a_missing_file_is_told_at_once(small, name):
    (small / f"{name}.csv").unlink()
    with pytest.raises(DomainError, match=rf"^There is no file {name}\.csv\. It was looked for"):
        read_orders(small)


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path):
    with pytest.raises(DomainError, match=r"^There is no file orders\.csv\."):
        read_orders(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("file", "line", "becomes", "told"),
    [
        ("orders.csv", 1, b"order_id,customer_id", r"Row 1 of orders\.csv .* It reads 'order_id,"),
        ("orders.csv", 3, b"", r"Row 3 of orders\.csv"),
        ("orders.csv", 3, b"O-0000002,C-01233", r"Row 3 of orders\.csv .* 'O-0000002,C-01233'"),
        (
            *("orders.csv", 3, b"O-0000002,C-1,2026-06-01T00:37:30Z,cancelled,122.01,EUR"),
            r"Row 3 of orders\.csv .* It is 'O-0000002', and its items make 122\.00\. Take",
        ),
        (
            *("orders.csv", 3, b"O-0000002,C 1,2026-06-01T00:37:30Z,cancelled,122.00,EUR"),
            r"Row 3 of orders\.csv .* and customer_id cannot be this str\. Take",
        ),
        (
            *("orders.csv", 3, b"O-2,C-1,2026-06-01T00:37:30Z,cancelled,122.00,EUR"),
            r"Row 3 of orders\.csv .* the next rows of items\.csv are of 'O-0000002'",
        ),
        (
            *("orders.csv", 3, b"O-\xff,C-1,2026-06-01T00:37:30Z,cancelled,122.00,EUR"),
            r"Row 3 of orders\.csv .* It is 'O-\\udcff'",
        ),
        ("orders.csv", 3, b'"O-0000002"x', r"Row 3 of orders\.csv .* Its quotes are wrong"),
        ("orders.csv", 51, None, r"Row 51 of orders\.csv .* items\.csv goes on with 'O-0000050'"),
        ("items.csv", 2, b"O-0000001,CLUMSY-KETTLE,3.0,26.90", r"Row 2 of items\.csv"),
        ("items.csv", 2, b"O-0000001,CLUMSY-KETTLE,0,26.90", r"Row 2 of items\.csv"),
        ("items.csv", 2, b"O-0000001,CLUMSY-KETTLE,3,26.9", r"Row 2 of items\.csv"),
        ("items.csv", 2, b"O-0000001,CLUMSY-KETTLE,3,NaN", r"Row 2 of items\.csv"),
        ("items.csv", 2, b"O-0000001,CLUMSY-KETTLE,3,26.90,EUR", r"Row 2 of items\.csv"),
    ],
)
def test_a_garbled_row_is_told_with_its_file_and_number(small, file, line, becomes, told):
    rows = (small / file).read_bytes().split(b"\n")
    rows[line - 1 : line] = [] if becomes is None else [becomes]
    (small / file).write_bytes(b"\n".join(rows))
    with pytest.raises(DomainError, match=told):
        list(read_orders(small))


@pytest.mark.parametrize("file", ["orders.csv", "items.csv"])
def test_an_empty_file_is_not_an_empty_shop(small, file):
    (small / file).write_bytes(b"")
    with pytest.raises(DomainError, match=rf"Row 1 of {file} cannot be right\. It reads ''\."):
        list(read_orders(small))


def test_orders_are_read_one_by_one(small):
    with (small / "orders.csv").open("ab") as file:
        file.write(b"nonsense\n")
    orders = read_orders(small)
    assert next(orders).order_id == "O-0000001"


def test_the_same_shop_is_written_wherever_the_folder_is(tmp_path, small):
    write(str(tmp_path / "a" / "b"), n=50)
    for name in NAMES:
        again = tmp_path / "a" / "b" / f"{name}.csv"
        assert again.read_bytes() == (small / f"{name}.csv").read_bytes()
