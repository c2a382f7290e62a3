"""JSON that two programs cannot read in two ways, and what is refused because they could."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlab.orders.errors import EventDecodeError, EventEncodeError
from eventlab.orders.wire import DEEPEST, MOST_BYTES, MOST_WHOLE, dumps, loads
from tests.unit.orders import made

texts = st.text(st.characters(codec="utf-8"))
numbers = st.integers(-MOST_WHOLE, MOST_WHOLE) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | texts | numbers,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=20,
)


@made.SLOWLY
@given(st.dictionaries(texts, values, max_size=3))
def test_json_brings_back_every_object(value):
    """Whatever JSON can hold, within the limits."""
    assert loads(dumps(value)) == value


CYCLE = {"order_id": "O-1", "items": [{"product_id": "SHY-RUG"}]}
CYCLE["items"].append(CYCLE)
DEEP = []
for _ in range(1_000_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"tags": {"a", "b"}}, "tags"),
        ({"items": [{"price": float("nan")}]}, "items[0].price"),
        ({"items": [{"price": 1.0}, {"price": float("-inf")}]}, "items[1].price"),
        ({"data": {"amount": Decimal("1.00")}}, "data.amount"),
        ({"at": datetime(2026, 6, 1, tzinfo=UTC)}, "at"),
        ({"raw": b"bytes"}, "raw"),
        ({"name": "half \ud800"}, "name"),
        ({"a": [{"half \udfff": 1}]}, "a[0]"),
        ({"a": {("x", "y"): 1}}, "a"),
        ({"n": 10**5_000}, "n"),
        (object(), ""),
        (CYCLE, "items[1]" + ".items[1]" * 15 + ".items"),
        ({"deep": DEEP}, "deep" + "[0]" * DEEPEST),
    ],
    ids=[
        *("set", "nan", "inf", "decimal", "time", "bytes", "surrogate", "surrogate name"),
        *("tuple name", "huge", "object", "cycle", "deep"),
    ],
)
def test_what_has_no_json_is_refused_with_its_place(value, path):
    """The publisher reads where it is, not that somewhere something was not serialisable."""
    with pytest.raises(EventEncodeError) as caught:
        dumps(value)
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path or 'The value'} cannot be written as JSON. It is ")
    assert len(str(caught.value)) < 400 + len(path)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "tombstone"),
        (b"", "Expecting value"),
        (b"  ", "Expecting value"),
        (b"{", "Expecting property name"),
        (b'{"a":1}x', "Extra data"),
        (b"\x00\x01\x02\xff", "it is not UTF-8"),
        ("{}".encode("utf-16"), "it is not UTF-8"),
        (b'\xef\xbb\xbf{"a":1}', "Expecting value"),
        (b'{"a":"\xed\xa0\x80"}', "it is not UTF-8"),
        (b'{"a":"\\ud800"}', "surrogates not allowed"),
        (b'{"\\udc00":1}', "surrogates not allowed"),
        (b'{"a":1,"a":2}', "it has the name 'a' twice"),
        (b'{"x":[{"a":1,"\\u0061":2}]}', "it has the name 'a' twice"),
        (b'{"a":NaN}', "it has NaN"),
        (b'{"a":[-Infinity]}', "it has -Infinity"),
        (b'{"a":1e999}', "too large"),
        (b'{"a":-1e999}', "too large"),
        (b'{"a":9007199254740992}', "a number of 16 digits"),
        (b'{"a":' + b"9" * 500_000 + b"}", "a number of 500000 digits"),
        (b"[]", "An event is a JSON object"),
        (b"7", "An event is a JSON object"),
        (b'"text"', "An event is a JSON object"),
        (b"null", "An event is a JSON object"),
        (b"[" * 500_000, f"nested deeper than {DEEPEST}"),
        (b'{"a":' * 100_000, f"nested deeper than {DEEPEST}"),
        (b'{"a":"' + b"x" * MOST_BYTES + b'"}', "more than 1,048,576"),
        ("text", "Pass the bytes"),
        (7, "Pass the bytes"),
    ],
    ids=range(28),
)
def test_bytes_that_are_no_object_to_rely_on_are_refused(value, says):
    """The error says why, and stays short however long the value is."""
    with pytest.raises(EventDecodeError) as caught:
        loads(value)
    assert says in str(caught.value)
    assert len(caught.value.args) == 3
    assert len(str(caught.value)) < 350


def nested(depth):
    return b'{"a":' * depth + b"1" + b"}" * depth


def test_the_limits_are_where_they_are_said_to_be():
    """As deep and as large as the limit is read, one more is not."""
    assert loads(nested(DEEPEST))
    with pytest.raises(EventDecodeError):
        loads(nested(DEEPEST + 1))
    assert loads(b'{"a":9007199254740991,"b":-9007199254740991}')
    full = b'{"a":"' + b"x" * (MOST_BYTES - 8) + b'"}'
    assert len(full) == MOST_BYTES
    assert loads(full)


def test_what_cannot_be_read_is_not_written():
    """A publisher learns of an event that is too large before any subscriber does."""
    assert len(dumps({"a": "x" * (MOST_BYTES - 8)})) == MOST_BYTES
    with pytest.raises(EventEncodeError, match="1,048,577 bytes, more than 1,048,576"):
        dumps({"a": "x" * (MOST_BYTES - 7)})


def test_brackets_count_only_outside_of_text():
    """Many small objects are no deep one, and a text may hold any brackets."""
    assert loads(b'{"a":[' + b"{}," * 1_000 + b"{}]}")
    assert loads(json.dumps({"a": "[{" * 1_000, "b": '\\"[' * 1_000}).encode())


@pytest.mark.parametrize("bomb", [b'{"a":"' + b'\\"' * 500_000, b'"' * 200_000, b"\\" * 200_000])
def test_a_text_that_does_not_end_takes_no_time(bomb):
    """Looking for its end again from every quote would take hours."""
    with pytest.raises(EventDecodeError):
        loads(b"[" * (DEEPEST - 1) + b"{}" * 3 + bomb)


def test_escaped_pairs_of_surrogates_are_one_character():
    """Only half a pair is refused."""
    assert loads(b'{"a":"\\ud83d\\ude00"}') == {"a": "\N{GRINNING FACE}"}
