"""Reading JSON that somebody else wrote, field by field; each surprise is a `DomainError`.

Standard library only, as the domain that stands on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from eventlab.orders.values import DomainError, wrong

T = TypeVar("T")

_FIX = "Send what order.to_json() returns."


def dumps(fields: dict[str, object]) -> bytes:
    """Return compact UTF-8 JSON with the keys in the order given."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def loads(value: object) -> dict[str, Any]:
    """Return the JSON object in the value of a record."""
    if value is None:
        what = "A record without a value holds no order."
        fix = "Skip it: Kafka calls such a record a tombstone."
        raise DomainError(what, "You gave None.", fix)
    if not isinstance(value, bytes):
        raise wrong("The value of a record", value, "Pass the bytes of record.value.")
    try:
        return as_object(json.loads(value.decode()))
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise wrong("The JSON of an order", value, _FIX) from None


def as_object(value: object) -> dict[str, Any]:
    """Return a decoded value that has to be a JSON object."""
    if not isinstance(value, dict):
        raise wrong("A JSON object", value, _FIX)
    return value


def take(fields: dict[str, Any], name: str, kind: type[T]) -> T:
    """Return one field, which has to be there and of this kind."""
    if name not in fields:
        seen = ", ".join(fields)[:80] or "no field"
        raise DomainError(f"The JSON has no {name}.", f"It has {seen}.", _FIX)
    value = fields[name]
    if not isinstance(value, kind):
        raise wrong(name, value, f"Send a JSON {_JSON_WORD[kind]}.")
    return value


def read(fields: dict[str, Any], name: str, convert: Callable[[str], T]) -> T:
    """Return one text field, converted."""
    text = take(fields, name, str)
    try:
        return convert(text)
    except ValueError:
        raise wrong(name, text, _FIX) from None


_JSON_WORD = {str: "string", int: "number", list: "array"}
