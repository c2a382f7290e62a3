"""What one field may hold: ids, names, money and times, and how money and times read as text.

Standard library only, as the domain that stands on it. Each check raises
`EventValidationError`, which is a `DomainError`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from eventlab.errors import shown
from eventlab.orders.errors import EventValidationError

LARGEST = Decimal("10000000000.00")  # NUMERIC(12, 2), far inside the 28 exact digits of Decimal
MOST = 1_000_000

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
MONEY = re.compile(r"[0-9]{1,10}\.[0-9]{2}")
SOURCE = re.compile(r"[!-~]{1,200}")
_TIME = re.compile(  # newer Pythons read 24:00 as tomorrow, older ones refuse it
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{3,6})?Z"
)
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]((?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2})"
    r"(?:\.([0-9]+))?([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_NO_OFFSET = timedelta(0)


def wrong(name: str, value: object, fix: str) -> EventValidationError:
    """Return the error for a field that cannot hold this value."""
    what = f"{name} cannot be this {type(value).__name__}."
    return EventValidationError(what, f"You gave {shown(value)}.", fix, field=name)


def check_id(name: str, value: object) -> None:
    """Ids become record keys: 1 to 64 plain ASCII characters."""
    if not (isinstance(value, str) and ID.fullmatch(value)):
        raise wrong(name, value, "Use 1 to 64 ASCII letters, digits, '-', '_', '.' or ':'.")


def check_name(name: str, value: object) -> None:
    """Names are for people: 1 to 200 printable characters of any script."""
    if not (isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()):
        raise wrong(name, value, "Use 1 to 200 printable characters.")


def check_source(name: str, value: object) -> None:
    """Where events come from is a URI or a part of one: no spaces, nothing but ASCII."""
    if not (isinstance(value, str) and SOURCE.fullmatch(value)):
        raise wrong(name, value, "Use a URI reference of up to 200 characters, such as '/shop'.")


def check_code(name: str, value: object, length: int) -> None:
    """Countries and currencies are ISO codes in capitals."""
    if not (isinstance(value, str) and re.fullmatch(f"[A-Z]{{{length}}}", value)):
        raise wrong(name, value, f"Use an ISO code of {length} capital letters.")


def check_quantity(name: str, value: object) -> None:
    """Quantities are whole and at least one."""
    if type(value) is not int or not 0 < value <= MOST:
        raise wrong(name, value, f"Use a whole number from 1 to {MOST}.")


def check_count(name: str, value: object, most: int) -> None:
    """Counts and seeds are whole, and a bool is not a number here."""
    if type(value) is not int or not 0 <= value <= most:
        raise wrong(name, value, f"Use a whole number from 0 to {most}.")


def check_money(name: str, value: object) -> None:
    """Money is a positive Decimal with exactly two places; the exponent of NaN is not -2 either."""
    if not isinstance(value, Decimal) or value.as_tuple().exponent != -2:
        raise wrong(name, value, "Use a Decimal with two places, such as Decimal('12.90').")
    if not 0 < value < LARGEST:
        raise wrong(name, value, f"Use more than 0 and less than {LARGEST}.")


def check_time(name: str, value: object) -> None:
    """Times know their zone, and it is UTC."""
    if not isinstance(value, datetime) or value.utcoffset() != _NO_OFFSET:
        raise wrong(name, value, "Use a datetime in UTC, such as datetime.now(UTC).")


def check_member(name: str, value: object, kind: type[StrEnum]) -> None:
    """A status is a member of its enum, not the text of one."""
    if not isinstance(value, kind):
        raise wrong(name, value, f"Use {kind.__name__}: {', '.join(m.name for m in kind)}.")


def check_items(name: str, value: object, kind: type[object]) -> None:
    """Items come as a tuple that is not empty: a list could still change."""
    if not (isinstance(value, tuple) and value and all(isinstance(i, kind) for i in value)):
        raise wrong(name, value, f"Use a tuple of at least one {kind.__name__}.")


def to_iso(time: datetime) -> str:
    """Return a UTC time as `2026-06-01T08:15:00Z`, with a fraction only where there is one."""
    return time.isoformat()[:-6] + "Z"


def from_iso(text: str) -> datetime:
    """Read the text of `to_iso`; ValueError for any other."""
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


def from_rfc3339(text: str) -> datetime:
    """Read a time as others write it (RFC 3339), to the microsecond; ValueError for any other."""
    found = _RFC3339.fullmatch(text)
    if not found:
        raise ValueError(text)
    date, clock, fraction, offset = found.groups(default="0")
    zone = "+00:00" if offset in "zZ" else offset
    try:
        return datetime.fromisoformat(f"{date}T{clock}.{fraction[:6]:0<6}{zone}").astimezone(UTC)
    except OverflowError:  # the first or the last hours that a datetime knows
        raise ValueError(text) from None


def from_text(text: str) -> Decimal:
    """Read money such as `12.90`; ValueError for any other text."""
    if not MONEY.fullmatch(text):
        raise ValueError(text)
    return Decimal(text)
