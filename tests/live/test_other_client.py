"""The cluster is Kafka, not something that only kafka-python can talk to."""

from __future__ import annotations

from confluent_kafka import Consumer, Producer

from eventlab.waiting import Deadline


def test_confluent_kafka_produces_and_consumes(cluster, topic):
    """librdkafka, another implementation of the protocol, sends and reads in a group."""
    servers = {"bootstrap.servers": cluster.bootstrap_servers}
    producer = Producer(servers)
    for number in range(100):
        producer.produce(topic, key=str(number), value=str(number))
    assert producer.flush(30) == 0
    consumer = Consumer(servers | {"group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    read: list[int] = []
    deadline = Deadline(60)
    while len(read) < 100 and deadline.left:
        read += [int(m.value()) for m in consumer.consume(100, timeout=1) if not m.error()]
    consumer.close()
    assert sorted(read) == list(range(100))
