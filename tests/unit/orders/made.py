"""Events of every type with every value that their fields can have, drawn by hypothesis."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC
from decimal import Decimal
from typing import get_type_hints

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from eventlab.orders import kinds
from eventlab.orders.domain import Item, ShippedItem

SLOWLY = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # other tests may have the processor meanwhile

LETTERS = "ABCXYZabcxyz0189"
ids = st.builds(str.__add__, st.sampled_from(LETTERS), st.text(LETTERS + "._:-", max_size=63))
scripts = st.characters(codec="utf-8", categories=("L", "M", "N", "P", "S"))
names = st.text(scripts, min_size=1, max_size=200).filter(str.isprintable)
codes = st.text("ABXYZ", min_size=3, max_size=3)
money = st.integers(1, 999_999_999_999).map(lambda cents: Decimal(cents).scaleb(-2))
times = st.datetimes(timezones=st.just(UTC))
items = st.builds(Item, ids, st.integers(1, 1_000_000), money)
shipped = st.builds(ShippedItem, ids, st.integers(1, 1_000_000))

BY_KIND = {
    kinds.Id: ids,
    kinds.Name: names,
    kinds.Source: st.text([chr(n) for n in range(33, 127)], min_size=1, max_size=200),
    kinds.Country: st.text("ABXYZ", min_size=2, max_size=2),
    kinds.Currency: codes,
    kinds.Money: money,
    kinds.Time: times,
    kinds.Id | None: st.none() | ids,
    tuple[Item, ...]: st.lists(items, min_size=1, max_size=3)
    .map(tuple)
    .filter(lambda many: sum(item.unit_price * item.quantity for item in many) < 10**10),
    tuple[ShippedItem, ...]: st.lists(shipped, min_size=1, max_size=3).map(tuple),
}


def anything_of(cls):
    """Return the strategy of all events of one kind."""
    hints = get_type_hints(cls, include_extras=True)
    drawn = {field.name: BY_KIND[hints[field.name]] for field in fields(cls) if field.init}
    return st.builds(cls, **drawn)
