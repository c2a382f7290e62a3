"""A shop as six CSV files: customers, products, orders, items, payments and shipments.

write("shop")                  # 10,000 orders of seed 7: byte for byte what is in data/
for order in read_orders():    # from data/, one by one, each with its items
    ...
for sale in read_sales():      # the same, with payments and shipments
    ...
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from eventlab.bundled import bundled
from eventlab.orders import tables
from eventlab.orders.domain import Order, OrderStatus
from eventlab.orders.errors import DomainError
from eventlab.orders.sale import Sale
from eventlab.orders.sample import SEED, sample_shop
from eventlab.orders.tables import Head, Line, Table

T = TypeVar("T")
Folder = str | os.PathLike[str] | None

ORDERS = 10_000
_FIX = "Take the file from the repository again, or make all six with files.write(folder)."


def write(folder: str | os.PathLike[str], n: int = ORDERS, seed: int = SEED) -> None:
    """Write the six files of a sample shop into a folder, which is made if it is not there."""
    shop = sample_shop(n, seed)
    into = Path(folder)
    into.mkdir(parents=True, exist_ok=True)
    lines = (
        Line(order.order_id, item.product_id, item.quantity, item.unit_price)
        for order in shop.orders
        for item in order.items
    )
    _write(into, tables.CUSTOMERS, shop.customers)
    _write(into, tables.PRODUCTS, shop.products)
    _write(into, tables.ORDERS, map(_head, shop.orders))
    _write(into, tables.ITEMS, lines)
    _write(into, tables.PAYMENTS, shop.payments)
    _write(into, tables.SHIPMENTS, shop.shipments)


def read_orders(folder: Folder = None) -> Iterator[Order]:
    """Return an iterator over the orders in orders.csv and items.csv, by default of data/.

    A missing file is a DomainError at once, a row that is no order when the iterator gets there.
    """
    heads, lines = read(tables.ORDERS, folder), read(tables.ITEMS, folder)
    return _joined(heads, groupby(lines, key=attrgetter("order_id")))


def read_sales(folder: Folder = None) -> Iterator[Sale]:
    """Return an iterator over the same orders, each with its payments and shipments.

    No file says when an order was cancelled: it is a day after the last that is told of it.
    """
    orders = read_orders(folder)
    return _sales(orders, read(tables.PAYMENTS, folder), read(tables.SHIPMENTS, folder))


def read(table: Table[T], folder: Folder = None) -> Iterator[T]:
    """Return an iterator over the values in the file of one table, such as `tables.PAYMENTS`."""
    path = Path(bundled("data") if folder is None else folder) / f"{table.name}.csv"
    if not path.is_file():
        raise DomainError(f"There is no file {path.name}.", f"It was looked for at {path}.", _FIX)
    return _read(path, table)


def _write(into: Path, table: Table[T], values: Iterable[T]) -> None:
    with (into / f"{table.name}.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(table.columns)
        rows.writerows(map(table.row, values))


def _head(order: Order) -> Head:
    return Head(*(getattr(order, name) for name in tables.ORDERS.columns))


def _read(path: Path, table: Table[T]) -> Iterator[T]:
    # bytes that are no text get through to the checks of the values, which know their row
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            if (row := next(rows, [])) != [*table.columns]:
                raise ValueError(row)
            for row in rows:
                yield table.value(row)
        except csv.Error as error:
            raise _garbled(path.name, rows.line_num, f"Its quotes are wrong: {error}") from None
        except ValueError:
            number = max(rows.line_num, 1)  # 0 in an empty file
            raise _garbled(path.name, number, f"It reads {','.join(row)[:90]!r}") from None


def _joined(heads: Iterator[Head], groups: Iterator[tuple[str, Iterator[Line]]]) -> Iterator[Order]:
    row = 1
    for row, head in enumerate(heads, start=2):
        order_id, lines = next(groups, ("no order", iter(())))
        items = tuple(line.item() for line in lines)
        if order_id != head.order_id:
            seen = f"It is {head.order_id!r}, the next rows of items.csv are of {order_id!r}"
            raise _garbled("orders.csv", row, seen)
        try:
            order = head.order(items)
        except ValueError as error:
            seen = f"It is {head.order_id!r}, and {str(error.args[0]).rstrip('.')}"
            raise _garbled("orders.csv", row, seen) from None
        yield order
    for order_id, _ in groups:
        raise _garbled("orders.csv", row + 1, f"items.csv goes on with {order_id!r}")


class _Rows:
    """The rows of a file that has the orders in their order, with any number of rows for each."""

    def __init__(self, file: str, rows: Iterator[Any]) -> None:
        self._file, self._rows = file, rows
        self._next = next(rows, None)

    def of(self, order: Order) -> tuple[Any, ...]:
        """Return those of the order that comes now."""
        found = []
        while self._next is not None and self._next.order_id == order.order_id:
            found.append(self._next)
            self._next = next(self._rows, None)
        return tuple(found)

    def end(self) -> None:
        """Refuse what is left when there are no more orders."""
        if self._next is not None:
            seen = f"It has rows of {self._next.order_id!r} where orders.csv has none of it."
            raise DomainError(f"{self._file} cannot be right.", seen, _FIX)


def _sales(orders: Iterator[Order], paid: Iterator[Any], sent: Iterator[Any]) -> Iterator[Sale]:
    payments, shipments = _Rows("payments.csv", paid), _Rows("shipments.csv", sent)
    for order in orders:
        sale = Sale(order, payments.of(order), shipments.of(order))
        if order.status is OrderStatus.CANCELLED:
            last = sale.payments[-1].created if sale.payments else order.created
            sale = replace(sale, cancelled=last + timedelta(days=1))
        yield sale
    payments.end()
    shipments.end()


def _garbled(file: str, row: int, seen: str) -> DomainError:
    return DomainError(f"Row {row} of {file} cannot be right.", f"{seen}.", _FIX)
