"""Events as records: the CloudEvents Kafka protocol binding 1.0, and whatever else may come."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from kafka.consumer.fetcher import ConsumerRecord

from eventlab.errors import InvalidSetting
from eventlab.orders.cloudevents import STRUCTURED, Encoded, decode, encode
from eventlab.orders.domain import Item
from eventlab.orders.errors import (
    DomainError,
    EventDecodeError,
    EventEncodeError,
    EventValidationError,
    EventVersionError,
    UnknownEventType,
)
from eventlab.orders.events import EVENTS, OrderCreated
from eventlab.orders.sample import sample_events
from tests.unit.orders import made

CREATED = OrderCreated(
    "O-1",
    "C-00042",
    (Item("GRUMPY-TEAPOT", 2, Decimal("39.90")),),
    event_id="E-1",
    time=datetime(2026, 6, 1, 8, 15, tzinfo=UTC),
    causation_id="E-0",
)
DATA = (
    b'{"order_id":"O-1","customer_id":"C-00042","items":[{"product_id":"GRUMPY-TEAPOT",'
    b'"quantity":2,"unit_price":"39.90"}],"currency":"EUR"}'
)
VALUE, BINARY = encode(CREATED).value, encode(CREATED, "binary")
HEADERS = dict(BINARY.headers)


def test_structured_mode_has_everything_in_the_value():
    """Sections 3.3 of the binding and 3 of the JSON format, with extensions at the top level."""
    assert encode(CREATED) == Encoded(
        key=b"O-1",
        value=b'{"specversion":"1.0","type":"example.eventlab.order.created","source":"/shop",'
        b'"id":"E-1","time":"2026-06-01T08:15:00Z","subject":"O-1",'
        b'"dataschema":"https://eventlab.example/schemas/order.created.v1.json",'
        b'"correlationid":"E-1","causationid":"E-0","datacontenttype":"application/json",'
        b'"data":' + DATA + b"}",
        headers=[("content-type", b"application/cloudevents+json; charset=UTF-8")],
    )


def test_binary_mode_has_the_envelope_in_headers():
    """Section 3.2 of the binding: `ce_` before each attribute, but not before the content type."""
    assert BINARY.key == b"O-1"
    assert BINARY.value == DATA
    assert BINARY.headers == [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_type", b"example.eventlab.order.created"),
        ("ce_source", b"/shop"),
        ("ce_id", b"E-1"),
        ("ce_time", b"2026-06-01T08:15:00Z"),
        ("ce_subject", b"O-1"),
        ("ce_dataschema", b"https://eventlab.example/schemas/order.created.v1.json"),
        ("ce_correlationid", b"E-1"),
        ("ce_causationid", b"E-0"),
    ]


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
def test_every_event_comes_back(kind):
    """Any event that can be made, in both modes, equal in every field."""

    @made.SLOWLY
    @given(made.anything_of(kind))
    def comes_back(event):
        for mode in ("structured", "binary"):
            record = encode(event, mode)
            assert decode(record) == event
            assert record.key == event.key.encode()

    comes_back()


def test_the_sample_events_come_back():
    """What lessons publish."""
    for event in sample_events(300):
        assert decode(encode(event)) == decode(encode(event, "binary")) == event


def test_a_record_of_kafka_python_can_be_decoded():
    """What a consumer hands out, headers and all."""
    for mode in ("structured", "binary"):
        key, value, headers = encode(CREATED, mode)
        fields = dict.fromkeys(ConsumerRecord._fields)
        fields |= {"topic": "orders", "key": key, "value": value, "headers": headers}
        assert decode(ConsumerRecord(**fields)) == CREATED


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("traceparent", b"00-1"), ("traceparent", None)],  # others may say what they want
        [("content-type", b"application/cloudevents+json")],
        [("content-type", b"Application/CloudEvents+JSON;charset=utf-8")],
        [*BINARY.headers[1:], ("content-type", STRUCTURED.encode())],  # section 3.3.3
    ],
)
def test_structured_mode_is_known_by_its_content_type(headers):
    """Section 3: by the prefix in any case, whatever other headers there are; or by the value."""
    assert decode(Encoded(b"O-1", VALUE, headers)) == CREATED


def test_binary_mode_is_known_by_its_headers():
    """Without a content type the data are JSON; other media types of JSON are JSON too."""
    plain = [(name, text) for name, text in BINARY.headers if name != "content-type"]
    assert decode(Encoded(b"O-1", DATA, plain)) == CREATED
    for content in (b"application/json; charset=utf-8", b"application/vnd.shop+JSON"):
        assert decode(Encoded(b"O-1", DATA, [("content-type", content), *plain])) == CREATED


def changed(**attributes):
    """Return the structured record with attributes changed; `...` takes one away."""
    fields = {**json.loads(VALUE), **attributes}
    kept = {name: value for name, value in fields.items() if value is not ...}
    return Encoded(b"O-1", json.dumps(kept).encode(), [("content-type", STRUCTURED.encode())])


@pytest.mark.parametrize(
    ("time", "reads"),
    [
        ("2026-06-01T10:15:00+02:00", "08:15:00+00:00"),
        ("2026-06-01t08:15:00z", "08:15:00+00:00"),
        ("2026-06-01T08:15:00.123456789Z", "08:15:00.123456+00:00"),
        ("2026-06-01T08:15:00.5-00:30", "08:45:00.500000+00:00"),
    ],
)
def test_times_of_others_are_read_as_rfc_3339_has_them(time, reads):
    """Go writes nanoseconds, Java an offset; inside of the shop all of it is UTC."""
    assert str(decode(changed(time=time)).time) == f"2026-06-01 {reads}"


def test_what_cloudevents_leaves_open_may_be_missing():
    """`null` is as good as nothing (JSON format 2.2), and unknown attributes are skipped."""
    less = changed(subject=..., dataschema=None, datacontenttype=..., causationid=None, nice="yes")
    assert decode(less) == replace(CREATED, causation_id=None)
    assert decode(changed(correlationid=...)) == CREATED
    assert decode(changed(correlationid=None, subject=None)) == CREATED


def test_data_may_come_as_base64():
    """Section 3.1.2 of the JSON format: the bytes behind it are JSON by their content type."""
    assert decode(changed(data=..., data_base64=base64.b64encode(DATA).decode())) == CREATED


@pytest.mark.parametrize("version", [1, 2, 7, 123_456])
def test_a_later_version_is_read_as_far_as_this_one_goes(version):
    """It may only have added fields, so a shop that was rolled back reads the events of the next.

    What it reads is an event of its own version: it cannot hand on what it does not know.
    """
    schema = f"https://eventlab.example/schemas/order.created.v{version}.json"
    data = {**json.loads(DATA), "gift": {"wrapped": True}, "note": None}
    event = decode(changed(dataschema=schema, data=data))
    assert event == CREATED
    assert event.version == 1
    headers = {**HEADERS, "ce_dataschema": schema.encode()}
    assert decode(Encoded(b"", json.dumps(data).encode(), [*headers.items()])) == CREATED


BASE = "https://eventlab.example/schemas/"


@pytest.mark.parametrize(
    "wrong",
    [
        {"specversion": "0.3"},
        {"specversion": ...},
        {"specversion": 1.0},
        {"specversion": None},
        {"dataschema": BASE + "order.created.v0.json"},
        {"dataschema": BASE + "order.created.v01.json"},
        {"dataschema": BASE + "order.created.v-1.json"},
        {"dataschema": BASE + "order.created.v1e3.json"},
        {"dataschema": BASE + "order.created.v9999999999.json"},
        {"dataschema": BASE + "order.created.v1.json\n"},
        {"dataschema": BASE + "order.paid.v1.json"},
        {"dataschema": BASE},
        {"dataschema": 1},
        {"dataschema": ["v1"]},
    ],
)
def test_a_wrong_version_is_refused(wrong):
    """Neither an envelope of another CloudEvents, nor data of what is no version of this event."""
    with pytest.raises(EventVersionError) as caught:
        decode(changed(**wrong))
    assert len(caught.value.args) == 3


@pytest.mark.parametrize("name", ["example.eventlab.order.lost", "", ..., None, 7, [], {"a": 1}])
def test_an_unknown_type_is_named(name):
    """The subscriber skips what it does not know, and can say what it was."""
    with pytest.raises(UnknownEventType, match=r"example\.eventlab\.order\.created") as caught:
        decode(changed(type=name))
    assert caught.value.type == (name if isinstance(name, str) else "")


ITEM = {"product_id": "SHY-RUG", "quantity": 1, "unit_price": "1.00"}


def with_data(**change):
    fields = {**json.loads(DATA), **change}
    return changed(data={name: value for name, value in fields.items() if value is not ...})


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (changed(id=...), "id"),
        (changed(id=None), "id"),
        (changed(id=7), "event_id"),
        (changed(id=""), "event_id"),
        (changed(source=...), "source"),
        (changed(source=""), "source"),
        (changed(source="the shop"), "source"),
        (changed(time=...), "time"),
        (changed(time="yesterday"), "time"),
        (changed(time="2026-06-01T08:15:00"), "time"),
        (changed(time="2026-02-30T08:15:00Z"), "time"),
        (changed(time="2026-06-01T24:00:00Z"), "time"),
        (changed(time="2026-06-01T08:15:60Z"), "time"),
        (changed(time="0001-01-01T00:00:00+23:00"), "time"),
        (changed(time="9999-12-31T23:59:59-01:00"), "time"),
        (changed(time=1_780_301_700), "time"),
        (changed(subject="O-2"), "subject"),
        (changed(subject=7), "subject"),
        (changed(correlationid=7), "correlation_id"),
        (changed(causationid=""), "causation_id"),
        (with_data(order_id=...), "data.order_id"),
        (with_data(order_id=None), "data.order_id"),
        (with_data(order_id=7), "data.order_id"),
        (with_data(order_id="../../etc"), "data.order_id"),
        (with_data(order_id="x" * 65), "data.order_id"),
        (with_data(customer_id=[]), "data.customer_id"),
        (with_data(currency="eur"), "data.currency"),
        (with_data(items=...), "data.items"),
        (with_data(items=[]), "data.items"),
        (with_data(items={}), "data.items"),
        (with_data(items=[7]), "data.items[0]"),
        (with_data(items=[ITEM, {**ITEM, "quantity": 0}]), "data.items[1].quantity"),
        (with_data(items=[{**ITEM, "quantity": True}]), "data.items[0].quantity"),
        (with_data(items=[{**ITEM, "quantity": 1.0}]), "data.items[0].quantity"),
        (with_data(items=[{**ITEM, "quantity": "1"}]), "data.items[0].quantity"),
        (with_data(items=[{**ITEM, "quantity": 10**15}]), "data.items[0].quantity"),
        (with_data(items=[{**ITEM, "unit_price": 1.0}]), "data.items[0].unit_price"),
        (with_data(items=[{**ITEM, "unit_price": "1.0"}]), "data.items[0].unit_price"),
        (with_data(items=[{**ITEM, "unit_price": "1e5"}]), "data.items[0].unit_price"),
        (with_data(items=[{**ITEM, "unit_price": "NaN"}]), "data.items[0].unit_price"),
        (with_data(items=[{**ITEM, "unit_price": "0.00"}]), "data.items[0].unit_price"),
        (with_data(items=[{"quantity": 1}]), "data.items[0].product_id"),
        (
            with_data(items=[{**ITEM, "quantity": 10**6, "unit_price": "9999999999.99"}]),
            "data.total_amount",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_place(record, field):
    """Whoever finds the dead letter can repair it without reading our code."""
    with pytest.raises(EventValidationError) as caught:
        decode(record)
    assert caught.value.field == field
    assert str(caught.value).startswith(field)
    assert len(caught.value.args) == 3
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (Encoded(b"", None, []), "tombstone"),
        (Encoded(b"", None, BINARY.headers), "tombstone"),
        (Encoded(b"", b"", BINARY.headers), "Expecting value"),
        (Encoded(b"", b"{}", []), "holds no event"),
        (Encoded(b"", VALUE[:-1], []), "no JSON to rely on"),
        (Encoded(b"", DATA, []), "holds no event"),
        (Encoded(b"", VALUE, [("content-type", b"application/cloudevents+avro")]), "+avro"),
        (Encoded(b"", VALUE, [("content-type", b"application/cloudevents-batch+json")]), "batch"),
        (Encoded(b"", VALUE, [("content-type", b"application/cloudevents")]), "a format"),
        (Encoded(b"", VALUE, [("content-type", b"APPLICATION/CloudEvents+Avro")]), "a format"),
        (Encoded(b"", DATA, [*BINARY.headers, ("ce_id", b"E-2")]), "'E-1' and 'E-2'"),
        (Encoded(b"", DATA, [("content-type", b"text/xml"), *BINARY.headers[1:]]), "text/xml"),
        (Encoded(b"", DATA, [*BINARY.headers, ("ce_x", b"\xff")]), "not UTF-8"),
        (Encoded(b"", DATA, [*BINARY.headers, ("ce_x", None)]), "ce_x is None"),
        (changed(datacontenttype="text/xml"), "text/xml"),
        (changed(datacontenttype=7), "content type is 7"),
        (changed(data=...), "either data or data_base64"),
        (changed(data_base64="e30="), "either data or data_base64"),
        (changed(data=..., data_base64="e30"), "not Base64"),
        (changed(data=..., data_base64="äöü"), "not Base64"),
        (changed(data=..., data_base64=7), "not Base64"),
        (changed(data=..., data_base64="eA=="), "no JSON to rely on"),
        (changed(data=None), "JSON object"),
        (changed(data="{}"), "JSON object"),
        (changed(data=[1]), "JSON object"),
    ],
)
def test_a_record_that_is_no_event_says_why(record, says):
    """It goes to the dead letters with a reason; the subscriber lives on."""
    with pytest.raises(EventDecodeError, match=says.replace("+", r"\+")) as caught:
        decode(record)
    assert len(caught.value.args) == 3


def test_every_way_to_cut_a_record_short_is_refused():
    """No half of an event is an event, and nothing but a DomainError comes out."""
    for end in range(len(VALUE)):
        with pytest.raises(DomainError):
            decode(Encoded(b"", VALUE[:end], []))


def test_every_byte_that_changes_gives_an_event_or_a_typed_error():
    """Whatever one byte becomes: no other exception gets through."""
    for at in range(len(VALUE)):
        for byte in (0, 0x22, 0x5C, 0x7B, 0xFF):
            try:
                decode(Encoded(b"", VALUE[:at] + bytes([byte]) + VALUE[at + 1 :], []))
            except DomainError:
                continue


@pytest.mark.parametrize("value", [None, {"event": "ORDER_CREATED"}, "O-1", OrderCreated, b"{}"])
def test_only_an_event_can_be_encoded(value):
    """A dict has no type and no id, so it never gets into the log."""
    with pytest.raises(EventEncodeError):
        encode(value)


def test_a_mode_is_one_of_two():
    """A typo is answered with both."""
    with pytest.raises(InvalidSetting, match=r"'batch'.*'structured' or 'binary'"):
        encode(CREATED, "batch")
