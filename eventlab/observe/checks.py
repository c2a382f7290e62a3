"""What can be said of an argument before a broker is asked."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from numbers import Integral
from typing import Any

from eventlab.errors import InvalidSetting, shown

Edge = int | datetime | None  # an offset, a time, or the end of the log itself


def number(name: str, value: Any, least: float, most: float, whole: bool = False) -> None:
    """Refuse what is no number, or not between these; one of numpy's is a number too."""
    right = isinstance(value, Integral if whole else (Integral, float))
    if isinstance(value, bool) or not right or not least <= value <= most:
        raise InvalidSetting(
            f"{name} cannot be this.",
            f"You gave {shown(value)}.",
            f"Use a {'whole ' if whole else ''}number from {least:,g} to {most:,g}.",
        )


def choice(name: str, value: object, choices: Collection[str]) -> None:
    """Refuse what is none of the choices."""
    if value not in choices:
        raise InvalidSetting(
            f"There is no such {name}.",
            f"You gave {shown(value)}.",
            f"Use one of: {', '.join(choices)}.",
        )


def edge(name: str, value: Any) -> Edge:
    """Return an offset or a time; refuse a time that could be any, for want of a timezone."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidSetting(
                f"{name} is a time without a timezone.",
                f"You gave {shown(value)}.",
                "Use one that has it, such as pd.Timestamp.now('UTC').",
            )
        return value
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
        raise InvalidSetting(
            f"{name} is neither an offset nor a time.",
            f"You gave {shown(value)}.",
            f"Use a whole number from 0, such as {name}=100, or a time with a timezone.",
        )
    return int(value)


def numbers(value: Any) -> list[int] | None:
    """Return the numbers of partitions: of one, of several, or None for all."""
    if value is None:
        return None
    several = value if isinstance(value, Collection) and not isinstance(value, str) else [value]
    for each in several:
        number("partition", each, 0, 2**31 - 1, whole=True)
    return sorted({int(each) for each in several})
