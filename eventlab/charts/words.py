"""Numbers, spans of time and names as a sentence has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LONGEST = 32  # characters of a name on a chart
_DRAWN = 0x600  # the characters below are in the font that comes with matplotlib


def count(number: float, noun: str) -> str:
    """Return `1 record` or `1,000 records`."""
    return f"{number:,.0f} {noun}" if number == 1 else f"{number:,.0f} {noun}s"


def short(number: float) -> str:
    """Return a number with about three digits: 0.052, 1.25, 83.1, 1,234."""
    if number == 0 or abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def lasting(seconds: float) -> str:
    """Return a span of time in the unit in which it is read most easily."""
    if not seconds:
        return "0 s"
    for most, size, unit in (
        (1, 1e-3, "ms"),
        (120, 1, "s"),
        (7200, 60, "min"),
        (172_800, 3600, "h"),
    ):
        if abs(seconds) < most:
            return f"{short(seconds / size)} {unit}"
    return f"{short(seconds / 86_400)} days"


def listed(things: Sequence[str], most: int = 6) -> str:
    """Return `a, b and c`, or `a, b and 7 more` where there are more than so many."""
    if len(things) > most:
        things = [*things[: most - 1], f"{len(things) - most + 1:,} more"]
    head, tail = things[:-1], things[-1:]
    return " and ".join([", ".join(head), *tail] if head else tail)


def name(value: object) -> str:
    """Return any value as a chart may show it: one line, not too long, in letters of the font."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    text = " ".join(text[: 4 * LONGEST].split()) or "(empty)"
    drawn = "".join(
        letter if letter.isprintable() and ord(letter) < _DRAWN else ascii(letter)[1:-1]
        for letter in text
    )
    return drawn if len(drawn) <= LONGEST else f"{drawn[: LONGEST - 1]}…"


def partitions(owners: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return the shortest names of (..., topic, partition): `partition 0`, else Kafka's `orders-0`.

    What stands before the topic, as the group, is named where it is not the same for all.
    """
    varied = [len(set(values)) > 1 for values in zip(*owners, strict=True)]
    texts = []
    for *before, topic, number in owners:
        own = f"{name(topic)}-{number}" if varied[-2] else f"partition {number}"
        texts.append(
            " ".join([*(name(b) for b, v in zip(before, varied[:-2], strict=True) if v), own])
        )
    return texts


def begun(text: str) -> str:
    """Return a text as the beginning of a sentence; a name of the learner's stays as it is."""
    return text[:1].upper() + text[1:] if text.startswith(("partition ", "broker ")) else text
