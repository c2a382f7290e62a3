"""JSON that two programs cannot read in two ways: what is written, and what is refused.

It is I-JSON (RFC 7493): UTF-8, no name twice, no NaN, no half surrogates, whole numbers that a
double can hold. A record of somebody else may be anything, so its size and depth have limits too.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from eventlab.errors import shown
from eventlab.orders.errors import EventDecodeError, EventEncodeError

MOST_BYTES = 1 << 20  # as much as a broker takes by default, message.max.bytes
DEEPEST = 32
MOST_WHOLE = (1 << 53) - 1

_FIX = "Send one JSON object in UTF-8, as I-JSON (RFC 7493) has it."
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)  # linear, whatever comes


def dumps(value: object) -> bytes:
    """Return compact UTF-8 JSON with the keys as given; EventEncodeError says what has no JSON."""
    try:
        encoded = json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()
    except (TypeError, ValueError, RecursionError):
        raise _no_json(*_culprit(value)) from None
    if len(encoded) > MOST_BYTES:
        what = "The event is too large for a record."
        seen = f"It has {len(encoded):,} bytes, more than {MOST_BYTES:,}."
        raise EventEncodeError(what, seen, "Send less, or an id where the rest can be had.")
    return encoded


def loads(value: object) -> dict[str, Any]:
    """Return the JSON object in the value of a record; EventDecodeError when there is none."""
    if value is None:
        raise EventDecodeError(
            "A record without a value holds no event.",
            "You gave None.",
            "Skip it: Kafka calls such a record a tombstone.",
        )
    if not isinstance(value, bytes):
        seen = f"You gave {shown(value)}, a {type(value).__name__}."
        raise EventDecodeError("No bytes, no event.", seen, "Pass the bytes of record.value.")
    try:
        return as_object(_read(value))
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8: {error.reason} at byte {error.start}"
    except ValueError as error:  # JSONDecodeError is one too
        if isinstance(error, EventDecodeError):
            raise
        reason = str(error)
    seen = f"It begins with {shown(value[:40])}, and {reason}."
    raise EventDecodeError("The value of the record is no JSON to rely on.", seen, _FIX) from None


def as_object(value: object) -> dict[str, Any]:
    """Return a decoded value that has to be a JSON object."""
    if not isinstance(value, dict):
        seen = f"It is {shown(value)}, a {type(value).__name__}."
        raise EventDecodeError("An event is a JSON object.", seen, _FIX)
    return value


def _read(value: bytes) -> object:
    if len(value) > MOST_BYTES:
        raise ValueError(f"it has {len(value):,} bytes, more than {MOST_BYTES:,}")
    if _is_deep(value):
        raise ValueError(f"it is nested deeper than {DEEPEST}")
    decoded: object = _STRICT.decode(value.decode())
    if b"\\u" in value:  # UTF-8 itself has no halves of surrogate pairs, an escape may be one
        json.dumps(decoded, ensure_ascii=False).encode()
    return decoded


def _is_deep(value: bytes) -> bool:
    """Json's own limit is the stack of this Python; ours is the same everywhere."""
    if value.count(b"[") + value.count(b"{") <= DEEPEST:
        return False
    depth = 0
    for token in _TOKEN.finditer(value):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if depth > DEEPEST:
            return True
    return False


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):  # one program would take the first, another one the last
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has the name {shown(twice)} twice")
    return fields


def _no_constant(text: str) -> object:
    raise ValueError(f"it has {text}, which JSON does not know")


def _whole(text: str) -> int:
    if len(text) > 17 or abs(number := int(text)) > MOST_WHOLE:
        raise ValueError(f"it has a number of {len(text)} digits")
    return number


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"it has the number {shown(text)}, which is too large")
    return number


_STRICT = json.JSONDecoder(
    object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_whole, parse_float=_finite
)


def _no_json(path: str, culprit: object) -> EventEncodeError:
    what = f"{path or 'The value'} cannot be written as JSON."
    seen = f"It is {shown(culprit)}, a {type(culprit).__name__}."
    fix = "Use text, whole numbers, booleans, lists and dicts; write money and times as text."
    return EventEncodeError(what, seen, fix, path=path)


def _culprit(value: object) -> tuple[str, object]:
    """Return the path and the value of what has no JSON; a cycle is found as too deep."""
    stack = [("", value, 0)]
    while stack:
        path, value, depth = stack.pop()
        if depth > DEEPEST or not _has_json(value):
            return path, value
        if isinstance(value, dict):
            for name, inner in value.items():
                if not (isinstance(name, str) and _has_json(name)):
                    return path, name
                stack.append((f"{path}.{name}".lstrip("."), inner, depth + 1))
        if isinstance(value, list | tuple):
            stack += [(f"{path}[{i}]", inner, depth + 1) for i, inner in enumerate(value)]
    return "", value


def _has_json(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return not re.search("[\ud800-\udfff]", value)
    if isinstance(value, int):
        return abs(value) <= MOST_WHOLE
    return value is None or isinstance(value, dict | list | tuple)
