"""Another client is recorded through the same small interface."""

from __future__ import annotations

from confluent_kafka import Consumer, Producer

from eventlab import history
from eventlab.waiting import Deadline, wait_until


def test_confluent_kafka_is_recorded_by_its_own_callbacks(cluster, topic):
    """It sends and reads in a group; its delivery reports and messages are evidence."""
    run = history.record(topic, cluster)
    servers = {"bootstrap.servers": cluster.bootstrap_servers}
    producer = Producer(servers | {"enable.idempotence": True})
    sent = run.recorder("rdkafka-producer", enable_idempotence=True)
    for number in range(200):
        key, value = f"c{number % 10}", f"order {number}"
        producer.produce(topic, value, key, on_delivery=sent.delivery(topic, key, value))
    assert producer.flush(30) == 0

    consumer = Consumer(servers | {"group.id": topic, "auto.offset.reset": "earliest"})
    got = run.recorder("rdkafka-consumer", group_id=topic)
    owns = lambda _, parts: got.owns((p.topic, p.partition) for p in parts)  # noqa: E731
    consumer.subscribe([topic], on_assign=owns, on_revoke=lambda *_: got.owns(()))
    deadline = Deadline(60)
    while len(run.reads()) < 200 and deadline.left:
        got.messages(consumer.consume(50, timeout=1))
    for part in consumer.commit(asynchronous=False):
        got.committed({(part.topic, part.partition): part.offset})
    consumer.close()

    verdict = run.verify(forbid=["unseen", "redelivered"])
    assert verdict.valid, verdict
    assert verdict.counts["acknowledged"] == verdict.counts["in_log"] == 200
    assert set(run.reads()["event_id"]) == set(range(200))
    assert run.assignments()["owned"].tolist() == [True] * 3 + [False] * 3


def test_a_delivery_that_failed_is_refused_or_unknown(cluster, topic):
    """Too large for the topic is certain; a message that timed out may be there."""
    small = f"{topic}-small"
    cluster.create_topic(small, 1, configs={"max.message.bytes": "1000"}, fresh=True)
    run, brokers = history.record(topic, cluster), list(cluster.brokers.values())
    servers = {"bootstrap.servers": cluster.bootstrap_servers}
    producer = Producer(servers | {"message.timeout.ms": 1_500, "enable.idempotence": False})
    sent = run.recorder("rdkafka")

    def send(topic, value):
        producer.produce(topic, value, on_delivery=sent.delivery(topic, value=value))
        wait_until(lambda: producer.flush(1) == 0, 20, "No delivery report.")

    send(topic, b"good")
    send(small, b"x" * 5_000)
    for broker in brokers:
        broker.freeze()
    try:
        send(topic, b"who knows")
    finally:
        for broker in brokers:
            broker.thaw()
    assert run.sends()["type"].tolist() == ["ok", "fail", "info"]
    assert run.sends()["error"].tolist() == ["", "MSG_SIZE_TOO_LARGE", "_MSG_TIMED_OUT"]
    wait_until(lambda: run.verify().valid, 30, lambda: str(run.verify()), every=0.5)
    cluster.delete_topic(small)
