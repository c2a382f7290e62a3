"""Money and times have one spelling, and every refusal is three short sentences."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlab.orders.errors import DomainError
from eventlab.orders.values import (
    check_count,
    check_money,
    from_iso,
    from_text,
    to_iso,
)
from tests.unit.orders import made


@made.SLOWLY
@given(st.datetimes(timezones=st.just(UTC)))
def test_iso_times_come_back(time):
    assert from_iso(to_iso(time)) == time


def test_iso_times_have_a_fraction_only_where_there_is_one():
    assert to_iso(datetime(2026, 6, 1, 8, 15, tzinfo=UTC)) == "2026-06-01T08:15:00Z"
    assert to_iso(datetime(2026, 6, 1, 8, 15, 0, 250_000, tzinfo=UTC)) == (
        "2026-06-01T08:15:00.250000Z"
    )


@pytest.mark.parametrize(
    "text", ["1", "1.0", "1.000", "+1.00", " 1.00", "1e2", "NaN", "\u0661.00", ""]
)
def test_money_has_one_spelling(text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        from_text(text)


@pytest.mark.parametrize(
    "value", [12.9, 12, "12.90", True, Decimal("12.9"), Decimal("Infinity"), Decimal("sNaN"), None]
)
def test_money_is_a_decimal_with_two_places(value):
    with pytest.raises(DomainError):
        check_money("unit_price", value)


def test_a_refusal_is_what_happened_what_was_seen_and_what_to_do():
    with pytest.raises(DomainError) as caught:
        check_count("n", -1, 10)
    assert str(caught.value) == (
        "n cannot be this int. You gave -1. Use a whole number from 0 to 10."
    )


def test_a_refusal_stays_short_however_long_the_value_is():
    for value in ("x" * 10_000, 10**5_000):
        with pytest.raises(DomainError) as caught:
            check_count("n", value, 10)
        assert len(str(caught.value)) < 160
