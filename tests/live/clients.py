"""What live tests do with records: send and read, bounded, with every client closed."""

from __future__ import annotations

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from eventlab import Cluster


def produce(cluster: Cluster, topic: str, count: int, start: int = 0) -> list[tuple[int, int]]:
    """Send `count` numbered records with acks=all; return (partition, offset) of each ack."""
    with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, acks="all") as producer:
        sent = [
            producer.send(topic, key=b"%d" % number, value=b"%d" % number)
            for number in range(start, start + count)
        ]
        acks = [future.get(timeout=30) for future in sent]
    return [(ack.partition, ack.offset) for ack in acks]


def read_all(cluster: Cluster, topic: str) -> list[int]:
    """Return the numbers of all records up to the end offsets of now, sorted."""
    with KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers) as consumer:
        parts = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends = consumer.end_offsets(parts)
        numbers: list[int] = []
        while any(consumer.position(part) < ends[part] for part in parts):
            for records in consumer.poll(timeout_ms=1000).values():
                numbers += [int(record.value) for record in records]
    return sorted(numbers)
