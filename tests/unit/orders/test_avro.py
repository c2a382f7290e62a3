"""Events in Avro: the same ones, smaller, and read by schemas of other versions."""

from __future__ import annotations

import copy
from statistics import median

import pytest

from eventlab.orders import OrderCreated, OrderPaid, avro, encode, sample_events
from eventlab.orders.errors import EventDecodeError
from eventlab.orders.events import EVENTS
from eventlab.orders.processes.sample import happenings
from tests.unit.refusals import refused

SOME = list(sample_events(50))
PAID = next(event for event in SOME if isinstance(event, OrderPaid))


def test_what_was_written_is_read():
    """All types of events, nested items too."""
    events = list(happenings(200))
    assert {type(event) for event in events} == set(EVENTS.values())
    for event in events:
        assert avro.decode(avro.encode(event)) == event


def test_it_is_smaller_than_json():
    """There are no names in it."""
    ratio = median(
        len(avro.encode(event).value) / len(encode(event, "binary").value) for event in SOME
    )
    assert ratio < 0.55


def later():
    """Return version 2 of a payment: with an iban, which may be missing."""
    schema = avro.schema(OrderPaid)
    schema["fields"].append({"name": "iban", "type": ["null", "string"], "default": None})
    return schema


def test_version_1_reads_what_version_2_wrote():
    """Its reader has the writer's schema, and skips what it does not know."""
    record = avro.encode(PAID, later())
    assert record.value != avro.encode(PAID).value
    assert avro.decode(record, [later()]) == PAID


def test_without_the_schema_of_who_wrote_nothing_can_be_read():
    """That is what a registry is for."""
    with refused(EventDecodeError, "c3"):
        avro.decode(avro.encode(PAID, later()))


def test_a_renamed_field_cannot_be_resolved():
    """As in JSON, it is no change of a version."""
    renamed = copy.deepcopy(avro.schema(OrderPaid))
    [amount] = [field for field in renamed["fields"] if field["name"] == "amount"]
    amount["name"] = "total"
    record = avro.encode(PAID)
    head = avro._MARK + avro.print_of(renamed)
    with refused(EventDecodeError, "amount"):
        avro.decode(record._replace(value=head + record.value[10:]), [renamed])


@pytest.mark.parametrize("value", [b"", b"\xc3\x01", b"{}", b"\x00" * 20])
def test_bytes_that_are_no_avro_are_refused(value):
    """Whatever somebody sends."""
    record = avro.encode(PAID)._replace(value=value)
    with refused(EventDecodeError, "begins with"):
        avro.decode(record)


@pytest.mark.parametrize("left", range(10, 14))
def test_a_record_that_was_cut_short_is_refused(left):
    """No matter where."""
    record = avro.encode(PAID)
    with refused(EventDecodeError, "Reading gave"):
        avro.decode(record._replace(value=record.value[:left]))


def test_the_schema_of_a_type_is_what_it_was():
    """A fingerprint that changes cannot be read by those who know the old one."""
    assert avro.print_of(avro.schema(OrderCreated)) == avro.print_of(avro.schema(OrderCreated))
    assert len({avro.print_of(avro.schema(kind)) for kind in EVENTS.values()}) == len(EVENTS)
