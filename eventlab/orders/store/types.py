"""How money and times are written into SQL, so that SQLite and PostgreSQL give back the same.

SQLite knows neither decimals nor times: its NUMERIC makes 0.1 + 0.2 a float, its DATETIME is text
without a zone. So money is counted in cents, which both databases sum exactly, and a time is UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, TypeDecorator


class Cents(TypeDecorator[Decimal]):
    """A Decimal with two places in Python, a whole number of cents in SQL."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Any) -> int | None:
        """Return the cents; ValueError for what is no whole number of them."""
        if value is None:
            return None
        cents = value.scaleb(2)
        if cents != int(cents):
            raise ValueError(f"{value} is no whole number of cents")
        return int(cents)

    def process_result_value(self, value: int | None, dialect: Any) -> Decimal | None:
        """Return the money of so many cents."""
        return None if value is None else Decimal(value).scaleb(-2)


class Utc(TypeDecorator[datetime]):
    """A datetime in UTC in Python; TIMESTAMPTZ in PostgreSQL, text that sorts in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Return the time as UTC; ValueError for one without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Return the time with its zone, whatever the zone of the database's session."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
