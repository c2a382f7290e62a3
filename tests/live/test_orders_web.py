"""The web side on a real cluster: in the topic when it is answered, told when it happens."""

from __future__ import annotations

import socket
import threading
import time
from decimal import Decimal

import httpx
import pytest
import socketio
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from eventlab.orders import (
    CustomerRegistered,
    OrderCancelled,
    OrderPaid,
    ProductListed,
    decode,
    encode,
)
from eventlab.orders.handlers import handle
from eventlab.orders.store import Store
from eventlab.orders.store.schema import outbox
from eventlab.orders.web import OrderApi, serve
from eventlab.waiting import Deadline, wait_until
from tests.live.clients import nothing_kept_open

ORDER = {"customer_id": "C-1", "items": [{"product_id": "CUP", "quantity": 2}]}


@pytest.fixture
def store(tmp_path):
    """A store with a customer and a product."""
    with Store(tmp_path / "shop.db") as store:
        with store.transaction() as db:
            handle(CustomerRegistered("C-1", "Ada", "DE"), db)
            handle(ProductListed("CUP", "A cup", "kitchen", Decimal("5.00")), db)
        yield store


@pytest.fixture
def api(cluster, topic, store):
    return OrderApi(store, cluster.bootstrap_servers, topic=topic)


@pytest.fixture
def server(api):
    with serve(api) as server:
        assert api.feed.ready.wait(Deadline(30).left), "The feed found no place in the topic."
        yield server


def rest(server) -> httpx.Client:
    """Return an HTTP client that has the token."""
    headers = {"Authorization": f"Bearer {server.token_file.read_text()}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=60)


def events(cluster, topic) -> list:
    """Return all events of the topic, by partition and offset."""
    with KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers) as consumer:
        parts = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends, found = consumer.end_offsets(parts), []
        deadline = Deadline(30)
        while any(consumer.position(part) < ends[part] for part in parts):
            assert deadline.left
            for records in consumer.poll(timeout_ms=500).values():
                found += [decode(record) for record in records]
    return found


def publish(cluster, topic, *happened) -> None:
    """Publish events as another process would."""
    with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer:
        for event in happened:
            producer.send(topic, **encode(event)._asdict()).get(timeout=30)


class Watcher:
    """A Socket.IO client that notes each event it is told of."""

    def __init__(self, server) -> None:
        self.told: list[dict] = []
        self.client = socketio.Client(reconnection=False)
        self.client.on("event", self.told.append)
        auth = {"token": server.token_file.read_text()}
        self.client.connect(server.url, auth=auth, transports=["websocket"])

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.client.disconnect()
        self.client.shutdown()

    def kinds(self) -> list[str]:
        return [event["type"].rpartition(".")[2] for event in self.told]


def test_an_order_that_is_accepted_is_in_the_topic(cluster, topic, store, server):
    """The 202 came after Kafka's acknowledgement; a key that comes again adds no record."""
    key = {"Idempotency-Key": '"once"'}
    with rest(server) as client:
        answers = [client.post("/orders", json=ORDER, headers=key) for _ in range(3)]
        assert client.post("/orders", json=ORDER).status_code == 202
    assert [answer.status_code for answer in answers] == [202] * 3
    ids = {answer.json()["event_id"] for answer in answers}
    found = events(cluster, topic)
    assert len(found) == 2
    assert ids < {event.event_id for event in found}
    with store.reading() as db:
        assert db.execute(outbox.select()).all() == []


def test_who_placed_an_order_is_told_what_happens_to_it(cluster, topic, server):
    """First that it was created, then what others publish; orders of others are not told."""
    with Watcher(server) as one, Watcher(server) as other:
        order = one.client.call("place_order", ORDER)["order_id"]
        wait_until(lambda: one.kinds() == ["created"], 20, lambda: f"{one.told}")
        assert other.client.call("follow", order) == {"order": None}
        paid = OrderPaid(order, "P-1", Decimal("10.00"), "card")
        publish(cluster, topic, OrderCancelled("O-9", "Not yours"), paid)
        wait_until(lambda: one.kinds() == ["created", "paid"], 20, lambda: f"{one.told}")
        wait_until(lambda: other.kinds() == ["paid"], 20, lambda: f"{other.told}")
        [event] = other.told
        assert event["data"] == {
            "order_id": order, "payment_id": "P-1", "amount": "10.00", "method": "card",
            "currency": "EUR",
        }  # fmt: skip
        assert (event["event_id"], event["order_id"]) == (paid.event_id, order)
        assert [e["partition"] for e in one.told] == [event["partition"]] * 2
        assert one.told[0]["offset"] < event["offset"]


def test_what_cannot_be_read_is_passed_by(cluster, topic, server):
    """52: junk with the key of an order; the feed lives on."""
    with Watcher(server) as watcher:
        watcher.client.call("follow", "O-1")
        with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer:
            for value in (b"junk", b"", None, b"{}", b"[" * 999):
                producer.send(topic, key=b"O-1", value=value).get(timeout=30)
        publish(cluster, topic, OrderCancelled("O-1", "Yes"))
        wait_until(lambda: watcher.kinds() == ["cancelled"], 20, lambda: f"{watcher.told}")


def test_readiness_knows_kafka(server):
    """200 while both answer."""
    answer = httpx.get(f"{server.url}/health/ready")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "pass", "sql": True, "kafka": True},
    )


def test_metrics_count_what_was_published(server):
    """Under the usual names, by type and by reason."""
    with rest(server) as client:
        client.post("/orders", json=ORDER)
        client.post("/orders", json={**ORDER, "customer_id": "C-2"})
        text = client.get("/metrics").text
    assert 'orders_events_published_total{type="example.eventlab.order.created"} 1.0' in text
    assert 'orders_events_failed_total{reason="OrderConflict"} 1.0' in text
    assert 'http_requests_total{handler="/orders",method="POST",status="202"} 1.0' in text
    assert 'http_request_duration_seconds_count{handler="/orders",method="POST"} 2.0' in text


def nowhere() -> str:
    """Return addresses that nobody listens on."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return ",".join(f"127.0.0.1:{each.getsockname()[1]}" for each in (one, other))


def test_kafka_away_is_a_503_in_its_time(store):
    """74: with Retry-After, for many at once, not ready, alive; and it stops as it should."""
    threads = threading.active_count()
    with serve(OrderApi(store, nowhere())) as server, rest(server) as client:
        begun = time.monotonic()
        answers: list[httpx.Response] = []

        def ask():
            answers.append(client.post("/orders", json=ORDER))

        asking = [threading.Thread(target=ask) for _ in range(20)]
        for each in asking:
            each.start()
        for each in asking:
            each.join()
        assert time.monotonic() - begun < Deadline(12).seconds
        assert {answer.status_code for answer in answers} == {503}
        assert all(answer.headers["retry-after"] for answer in answers)
        assert {answer.headers["content-type"] for answer in answers} == {
            "application/problem+json"
        }
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()["kafka"]) == (503, False)
        assert client.get("/orders").status_code == 200
        begun = time.monotonic()
    assert time.monotonic() - begun < Deadline(15).seconds
    wait_until(lambda: threading.active_count() <= threads, 5, lambda: f"{threading.enumerate()}")


def test_what_was_not_acknowledged_happens_once_when_kafka_is_back(cluster, topic, server):
    """Frozen brokers acknowledge nothing: 503, and the same key later is the same event."""
    key = {"Idempotency-Key": "after-the-outage"}
    with rest(server) as client, Watcher(server) as watcher:
        watcher.client.call("follow", "O-1")
        assert client.post("/orders", json=ORDER).status_code == 202
        for broker in cluster.brokers.values():
            broker.freeze()
        try:
            begun = time.monotonic()
            answer = client.post("/orders", json=ORDER, headers=key)
            assert answer.status_code == 503
            assert "Idempotency-Key" in answer.json()["detail"]
            assert time.monotonic() - begun < Deadline(12).seconds
        finally:
            for broker in cluster.brokers.values():
                broker.thaw()

        def accepted():
            answer = client.post("/orders", json=ORDER, headers=key)
            return answer.status_code == 202 and answer

        again = wait_until(accepted, 60, "Kafka is not back.", every=0.5)
        publish(cluster, topic, OrderCancelled("O-1", "Still told"))
        wait_until(lambda: watcher.kinds() == ["cancelled"], 30, lambda: f"{watcher.told}")
    found = [e for e in events(cluster, topic) if e.event_id == again.json()["event_id"]]
    assert len(set(found)) == 1  # the producer and we may both have tried again: one id, one event


def test_it_stops_while_kafka_is_frozen(cluster, topic, store):
    """What is still on its way was answered with 503; nothing hangs, and nothing is left."""
    with nothing_kept_open(cluster):
        server = serve(OrderApi(store, cluster.bootstrap_servers, topic=topic))
        with rest(server) as client:
            assert client.post("/orders", json=ORDER).status_code == 202
            for broker in cluster.brokers.values():
                broker.freeze()
            try:
                assert client.post("/orders", json=ORDER).status_code == 503
                begun = time.monotonic()
                server.stop()
                assert time.monotonic() - begun < Deadline(15).seconds
            finally:
                for broker in cluster.brokers.values():
                    broker.thaw()
        store.close()
