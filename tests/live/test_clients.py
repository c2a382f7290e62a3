"""What kafka-python 3.0.12 does wrong, and what is done about it; red when it is mended there."""

from __future__ import annotations

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import MessageSizeTooLargeError

from eventlab.cluster.clients import give_out_again, outlive_refusals
from tests.live.clients import produce


@pytest.mark.parametrize("helped", [True, False])
def test_a_partition_that_was_paused_gives_out_what_was_fetched(cluster, topic, helped):
    """Some of its records are out, others fetched, when it is paused; then it is resumed.

    Without help the others never come, and the partition is not fetched any more.
    """
    produce(cluster, topic, 300)
    with KafkaConsumer(
        bootstrap_servers=cluster.bootstrap_servers, group_id=None, max_poll_records=10
    ) as consumer:
        parts = [TopicPartition(topic, number) for number in range(3)]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)

        def polled():
            read = idle = 0
            while read + before < 300 and idle < 8:
                if helped:
                    give_out_again(consumer)
                found = sum(map(len, consumer.poll(timeout_ms=250).values()))
                read, idle = read + found, 0 if found else idle + 1
            return read

        before = 0
        while not (first := consumer.poll(timeout_ms=1000)):
            continue
        [part] = first
        before = len(first[part])
        consumer.pause(part)
        while any(consumer.position(p) < end for p, end in consumer.end_offsets(parts).items()
                  if p != part):  # fmt: skip
            before += sum(map(len, consumer.poll(timeout_ms=250).values()))
        consumer.resume(part)
        assert (polled() + before == 300) == helped


@pytest.mark.parametrize("helped", [True, False])
def test_a_producer_outlives_what_a_broker_refuses(cluster, topic, helped):
    """One record is too large for its topic; those that are sent after it are acknowledged.

    Without help they fail with its error, whatever their partition, for as long as it lives.
    """
    name = f"{topic}-narrow"
    cluster.create_topic(name, partitions=3, fresh=True, configs={"max.message.bytes": "2000"})
    with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, max_block_ms=5000) as producer:
        producer.send(name, b"small", partition=0).get(10)
        if helped:
            outlive_refusals(producer)
        with pytest.raises(MessageSizeTooLargeError):
            producer.send(name, b"x" * 5000, partition=0).get(10)
        for number in range(30):
            sent = producer.send(name, b"small", partition=number % 3)
            if helped:
                assert sent.get(10).partition == number % 3
            else:
                with pytest.raises(MessageSizeTooLargeError):
                    sent.get(10)
    cluster.delete_topic(name)
