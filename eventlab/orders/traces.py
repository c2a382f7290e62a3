"""Traces across Kafka, where OpenTelemetry is set up (`eventlab[traces]`); nothing elsewhere.

    opentelemetry-instrument eventlab orders subscribe        # OTEL_... says where spans go

A span for each event that is sent, and one for each batch that is handled, with a link to the span
of each event in it. The context travels in the header `traceparent` (W3C Trace Context), also
through an outbox. Names and attributes are those of OpenTelemetry's conventions for messaging.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from eventlab.orders.cloudevents import Encoded
from eventlab.orders.events import Event

try:
    from opentelemetry import trace
    from opentelemetry.propagate import extract, inject
    from opentelemetry.trace import ProxyTracerProvider
except ImportError:  # an extra
    trace = None  # type: ignore[assignment]

_NAME = "eventlab.orders"
_MOST_LINKS = 128  # of a span, unless OTEL_SPAN_LINK_COUNT_LIMIT says otherwise


def sent(event: Event, record: Encoded, topic: str) -> Encoded:
    """Return the record of an event with the context of a span for its sending.

    One that has a context keeps it: it went through an outbox, and who relays it did not cause it.
    """
    tracer = _tracer()
    if tracer is None or any(name == "traceparent" for name, _ in record.headers):
        return record
    about = {
        "messaging.system": "kafka",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
        "messaging.message.id": event.event_id,
        "cloudevents.event_type": event.type,
    }
    carrier: dict[str, str] = {}
    kind = trace.SpanKind.PRODUCER
    with tracer.start_as_current_span(f"send {topic}", kind=kind, attributes=about):
        inject(carrier)
    headers = [(name, text.encode()) for name, text in carrier.items()]
    return record._replace(headers=[*record.headers, *headers])


@contextmanager
def handled(group_id: str, records: Sequence[Any]) -> Iterator[None]:
    """Give a span to the handling of a batch, with links to what sent its records."""
    tracer = _tracer()
    if tracer is None or not records:
        yield
        return
    about = {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": records[0].topic,
        "messaging.consumer.group.name": group_id,
        "messaging.batch.message_count": len(records),
    }
    links = [link for record in records[:_MOST_LINKS] if (link := _link(record))]
    kind = trace.SpanKind.CONSUMER
    name = f"process {records[0].topic}"
    with tracer.start_as_current_span(name, kind=kind, links=links, attributes=about):
        yield


def _link(record: Any) -> Any:
    carrier = {
        name: value.decode("ascii", "replace")
        for name, value in record.headers or ()
        if name in ("traceparent", "tracestate") and isinstance(value, bytes)
    }
    context = trace.get_current_span(extract(carrier)).get_span_context() if carrier else None
    return trace.Link(context) if context and context.is_valid else None


def _tracer() -> Any:
    """Return a tracer, or None as long as nobody has set up where spans go."""
    if trace is None:
        return None
    provider = trace.get_tracer_provider()
    return None if isinstance(provider, ProxyTracerProvider) else provider.get_tracer(_NAME)
