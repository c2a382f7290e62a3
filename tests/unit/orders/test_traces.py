"""Traces: the context of who sent an event reaches who handles it, through an outbox as well."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import select

from eventlab.orders import OrderCreated, decode, encode, outbox, sample_events, traces
from eventlab.orders.store import Store
from eventlab.orders.store.schema import outbox as rows

EVENT = next(event for event in sample_events(1) if isinstance(event, OrderCreated))


@pytest.fixture
def spans(monkeypatch):
    """Set up where spans go, for one test; return those that have ended."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    return exporter.get_finished_spans


def place(context):
    return context.trace_id, context.span_id


def received(record):
    return SimpleNamespace(topic="orders", headers=record.headers, value=record.value)


def test_a_batch_is_linked_to_what_sent_its_events(spans):
    """A span that handles many events has many causes, so they are links and no parent."""
    records = [received(traces.sent(EVENT, encode(EVENT), "orders")) for _ in range(3)]
    with traces.handled("billing", [*records, received(encode(EVENT))]):
        pass
    *senders, handler = spans()
    assert [span.name for span in senders] == ["send orders"] * 3
    assert [place(link.context) for link in handler.links] == [place(s.context) for s in senders]
    assert handler.attributes["messaging.batch.message_count"] == 4
    assert senders[0].attributes["messaging.message.id"] == EVENT.event_id


def test_the_context_goes_through_an_outbox(spans, tmp_path):
    """Who relays an event is not who made it happen."""
    with Store(tmp_path / "shop.db") as store, store.transaction() as db:
        outbox.add(db, EVENT)
        headers = [(name, text) for name, text in db.scalar(select(rows.c.headers))]
    [sender] = spans()
    assert f"{sender.context.trace_id:032x}" in dict(headers)["traceparent"]


def test_an_event_is_the_same_with_a_trace_and_without(spans):
    """The context is in a header, and no part of the event."""
    record = traces.sent(EVENT, encode(EVENT), "orders")
    assert decode(record) == EVENT
    assert record.value == encode(EVENT).value


@pytest.mark.parametrize("sent", [b"nonsense", b"\xff", None, b"00-0-0-00"])
def test_a_header_that_is_no_context_is_no_link(spans, sent):
    """Anybody may send headers."""
    with traces.handled("billing", [SimpleNamespace(topic="t", headers=[("traceparent", sent)])]):
        pass
    [handler] = spans()
    assert handler.links == ()


def test_nothing_is_added_while_nobody_wants_traces():
    """Records are byte for byte what encode() makes."""
    record = encode(EVENT)
    assert traces.sent(EVENT, record, "orders") is record


def test_without_opentelemetry_nothing_is_missing(monkeypatch):
    """It is an extra."""
    monkeypatch.setattr(traces, "trace", None)
    record = encode(EVENT)
    assert traces.sent(EVENT, record, "orders") is record
    with traces.handled("billing", [received(record)]):
        pass
