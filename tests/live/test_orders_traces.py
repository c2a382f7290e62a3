"""Traces on live brokers: what is handled is linked to what was published, on every way."""

from __future__ import annotations

from opentelemetry import trace

from eventlab.orders import encode, outbox
from eventlab.orders.outbox.relay import Relay
from eventlab.orders.publisher import OrderPublisher
from eventlab.orders.store import Store
from tests.live.subscribed import records, running, wait_for
from tests.unit.orders.inbox.arrivals import CUSTOMER, created, paid
from tests.unit.orders.test_traces import place, spans  # noqa: F401 (a fixture)

ORDER = created()


def test_a_trace_goes_from_who_publishes_to_who_handles(cluster, topic, spans, tmp_path):  # noqa: F811
    """Published, sent as a record that was made before, or relayed from an outbox: one trace."""
    with Store(tmp_path / "shop.db") as store:
        with OrderPublisher(cluster.bootstrap_servers, topic) as publisher:
            publisher.publish(CUSTOMER)
            publisher.publish_encoded(ORDER, encode(ORDER), topic)
            with store.transaction() as db, tracer().start_as_current_span("a request"):
                outbox.add(db, paid(), topic)
            with Relay(store, publisher) as relay:
                assert relay.step() == 1
        with running(cluster, topic, topic, store=store):
            wait_for(store, 3)
        found = spans()
    sent = {place(span.context) for span in found if span.name == f"send {topic}"}
    batches = [span for span in found if span.name == f"process {topic}"]
    assert {place(link.context) for batch in batches for link in batch.links} == sent
    assert len(sent) == 3
    [request] = [span for span in found if span.name == "a request"]
    assert request.context.trace_id in {trace_id for trace_id, _ in sent}
    for record in records(cluster, topic):
        assert [name for name, _ in record.headers].count("traceparent") == 1


def tracer():
    return trace.get_tracer_provider().get_tracer("test")
