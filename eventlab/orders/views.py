"""Read models: what the tables of a shop add up to, as DataFrames.

    views.orders(store)                  # a row for each order
    views.statuses(store)                # how many orders are in each status
    views.revenue(store)                 # what came in, by day and currency

Money is a Decimal, exact as in the events; times are UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from eventlab.orders.domain import OrderStatus, PaymentStatus
from eventlab.orders.store import Store, schema

if TYPE_CHECKING:
    import pandas as pd


def orders(store: Store) -> pd.DataFrame:
    """Return a row for each order, the newest last.

    Columns: order_id, customer_id, created, status, total, currency, changed.
    """
    table = schema.orders.c
    query = select(
        *(table.order_id, table.customer_id, table.created, table.status),
        *(table.total_cents.label("total"), table.currency, table.changed),
    )
    return store.read(query.order_by(table.created, table.order_id))


def statuses(store: Store) -> pd.DataFrame:
    """Return how many orders are in each status, 0 as well: status, orders; in life's order."""
    table = schema.orders.c
    found = store.read(select(table.status, func.count().label("orders")).group_by(table.status))
    every = [str(status) for status in OrderStatus]
    return found.set_index("status").reindex(every, fill_value=0).reset_index()


def revenue(store: Store) -> pd.DataFrame:
    """Return what came in less what went back: day (UTC), currency, captured, refunded, revenue."""
    table = schema.payments.c
    query = select(
        table.created, table.currency, table.status, table.amount_cents.label("amount")
    ).where(table.status != str(PaymentStatus.FAILED))
    found = store.read(query)
    found["day"] = [time.date() for time in found.created]
    keys = [found.day, found.currency]
    table_of = {
        name: found.amount.where(found.status == str(status), 0).groupby(keys).sum()
        for name, status in (
            ("captured", PaymentStatus.CAPTURED),
            ("refunded", PaymentStatus.REFUNDED),
        )
    }
    import pandas as pd

    days = pd.DataFrame(table_of)
    days["revenue"] = days.captured - days.refunded
    return days.reset_index()
