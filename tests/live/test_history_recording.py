"""What a recorded client does is known as it was, and the client is what it was."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest
from kafka import (
    AsyncConsumerRebalanceListener,
    ConsumerRebalanceListener,
    DefaultSerializer,
    JsonSerializer,
    KafkaConsumer,
    KafkaProducer,
    OffsetAndMetadata,
    TopicPartition,
)
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from eventlab import history
from eventlab.waiting import Deadline, wait_until


@pytest.fixture
def run(topic):
    return history.record(topic)


@pytest.fixture
def clients(cluster):
    """Make clients of the cluster that are closed after the test."""
    made = []

    def make(kind, *topics, **config):
        made.append(kind(*topics, bootstrap_servers=cluster.bootstrap_servers, **config))
        return made[-1]

    yield make
    for client in made:
        client.close()


def read(consumer, count, **how):
    """Poll until so many records are read; return them."""
    records, deadline = [], Deadline(30)
    while len(records) < count and deadline.left:
        for some in consumer.poll(timeout_ms=200, **how).values():
            records += some
    assert len(records) >= count
    return records


def group(clients, topic, **config):
    """Return a consumer of a group of the topic's name that begins at the beginning."""
    config = {"group_id": topic, "auto_offset_reset": "earliest"} | config
    consumer = clients(KafkaConsumer, topic, **config)
    # A first join of kafka-python 3.0.12 that does not know the partitions yet may never end.
    assert consumer.partitions_for_topic(topic)
    return consumer


def outcomes(run):
    """Return how many sends ended how."""
    return run.sends()["type"].value_counts().to_dict()


def test_clients_stay_what_they_are(topic, run, clients):
    """The same objects, of their own class by isinstance, name and documentation."""
    producer, consumer = clients(KafkaProducer), group(clients, topic)
    assert run.producer(producer) is producer
    assert run.consumer(consumer) is consumer
    assert isinstance(producer, KafkaProducer)
    assert isinstance(consumer, KafkaConsumer)
    assert type(producer).__name__ == "KafkaProducer"
    assert producer.send.__doc__ == KafkaProducer.send.__doc__
    assert str(producer).startswith("<KafkaProducer")


def test_records_are_untouched(topic, run, clients):
    """No header, no other key, value or timestamp: a reader cannot tell that it was recorded."""
    producer = run.producer(clients(KafkaProducer))
    producer.send(topic, b"value", b"key", [("trace", b"1")], timestamp_ms=1_700_000_000_000)
    producer.send(topic, value=b"plain").get(timeout=10)
    records = read(group(clients, topic), 2)
    told = {(r.key, r.value, tuple(r.headers)) for r in records}
    assert told == {(b"key", b"value", (("trace", b"1"),)), (None, b"plain", ())}
    assert 1_700_000_000_000 in {r.timestamp for r in records}


def test_a_producer_and_a_group_are_valid(topic, run, clients):
    """Two producers, three consumers of a group, by poll and by iteration, commits of all kinds."""
    producers = [run.producer(clients(KafkaProducer)) for _ in range(2)]
    consumers = [
        run.consumer(group(clients, topic, client_id=name, enable_auto_commit=False))
        for name in ("one", "two")
    ]
    for number in range(1_000):
        producers[number % 2].send(topic, key=b"c%d" % (number % 20), value=b"order %d" % number)
    for producer in producers:
        producer.flush()
    got, deadline = 0, Deadline(60)
    while got < 1_000 and deadline.left:
        got += sum(len(r) for c in consumers for r in c.poll(timeout_ms=100).values())
        for consumer in consumers:
            consumer.commit_async()
    consumers[0].commit()
    verdict = run.verify(forbid=["unseen"])
    assert verdict.valid, verdict
    assert verdict.counts["acknowledged"] == verdict.counts["in_log"] == 1_000
    reads = run.reads()
    assert set(reads["event_id"]) == set(range(1_000))
    assert (reads.groupby("key_id")["partition"].nunique() == 1).all()


def test_iteration_is_recorded_record_by_record(topic, run, clients):
    """What the iterator has fetched and not handed out was not read."""
    producer = run.producer(clients(KafkaProducer))
    for number in range(50):
        producer.send(topic, b"%d" % number, partition=0)
    producer.flush()
    consumer = run.consumer(group(clients, topic))
    for number, _ in enumerate(consumer, 1):
        if number == 20:
            break
    assert run.reads()["offset"].tolist() == list(range(20))
    consumer.commit()
    commits = run.operations().query("f == 'commit' and type == 'ok' and partition == 0")
    assert commits["offset"].max() == 20
    assert run.verify().valid


def test_what_the_client_refuses_is_a_failure(cluster, topic, run, clients):
    """Too large, no name of a topic, no bytes, no such partition or topic: it never left."""
    producer = run.producer(clients(KafkaProducer, max_block_ms=1_000))
    refused = [
        (MessageSizeTooLargeError, {"topic": topic, "value": b"x" * 2_000_000}),
        (TypeError, {"topic": topic, "value": {"no": "bytes"}}),
        (ValueError, {"topic": topic, "value": b"x", "partition": 99}),
        (ValueError, {"topic": "no name", "value": b"x"}),
        (KafkaTimeoutError, {"topic": f"{topic}-unknown", "value": b"x"}),
    ]
    for error, wrong in refused:
        with pytest.raises(error):
            producer.send(**wrong)
    producer.send(topic, b"good").get(timeout=10)
    assert outcomes(run) == {"fail": 5, "ok": 1}
    assert run.sends()["error"].tolist()[:2] == ["MessageSizeTooLargeError", "TypeError"]
    assert run.verify().valid
    assert f"{topic}-unknown" not in cluster.topics()["topic"].tolist()


def test_what_a_broker_refuses_is_a_failure(cluster, topic, run, clients):
    """Larger than the topic takes, without the key that a compacted topic needs: not written."""
    small, compact = f"{topic}-small", f"{topic}-compact"
    cluster.create_topic(small, 1, configs={"max.message.bytes": "1000"}, fresh=True)
    cluster.create_topic(compact, 1, configs={"cleanup.policy": "compact"}, fresh=True)
    for name in (small, compact):
        producer = run.producer(clients(KafkaProducer))
        with pytest.raises(KafkaError):
            producer.send(name, b"x" * 5_000).get(timeout=10)
    assert outcomes(run) == {"fail": 2}
    assert set(run.sends()["error"]) == {"MessageSizeTooLargeError", "InvalidRecordError"}
    assert run.verify().valid
    for name in (small, compact):
        cluster.delete_topic(name)


def test_batches_that_are_split_are_known_record_by_record(cluster, topic, run, clients):
    """A batch larger than the topic takes is sent again in pieces, under other futures."""
    small = f"{topic}-small"
    cluster.create_topic(small, 1, configs={"max.message.bytes": "2000"}, fresh=True)
    producer = run.producer(clients(KafkaProducer, linger_ms=100))
    futures = [producer.send(small, b"%0200d" % number) for number in range(40)]
    offsets = [future.get(timeout=20).offset for future in futures]
    assert run.sends()["offset"].tolist() == offsets
    assert outcomes(run) == {"ok": 40}
    assert run.verify().valid
    cluster.delete_topic(small)


def test_without_acknowledgements_nothing_is_known(topic, run, clients):
    """acks=0: every send may have happened; those that are in the log are counted."""
    producer = run.producer(clients(KafkaProducer, acks=0, enable_idempotence=False))
    for _ in range(30):
        producer.send(topic, b"the same")
    producer.flush()
    assert outcomes(run) == {"info": 30}
    landed = lambda: run.verify().counts["landed"] == 30  # noqa: E731
    wait_until(landed, 20, lambda: str(run.verify()), every=0.2)
    assert run.verify().valid


def test_what_times_out_may_have_happened(cluster, topic, run, clients):
    """The leader is frozen, the client gives up: the record may be written when it goes on."""
    told = cluster.admin.describe_topics([topic])[0]["partitions"]
    leader = next(part["leader_id"] for part in told if part["partition_index"] == 0)
    producer = run.producer(
        clients(KafkaProducer, request_timeout_ms=1_000, delivery_timeout_ms=1_500, retries=0)
    )
    producer.send(topic, b"before", partition=0).get(timeout=10)
    cluster.brokers[leader].freeze()
    try:
        future = producer.send(topic, b"during", partition=0)
        with pytest.raises(KafkaError):
            future.get(timeout=20)
    finally:
        cluster.brokers[leader].thaw()
    assert outcomes(run) == {"ok": 1, "info": 1}
    wait_until(lambda: run.verify().valid, 30, lambda: str(run.verify()), every=0.5)


def test_serializers_are_heard(topic, run, clients):
    """The bytes on the wire are what identifies a record, whatever the learner passed."""
    how = {"key_serializer": DefaultSerializer(), "value_serializer": JsonSerializer()}
    producer = run.producer(clients(KafkaProducer, **how))
    for number in range(20):
        producer.send(topic, key=f"c{number % 3}", value={"order": number})
    with pytest.raises(TypeError):
        producer.send(topic, key="c1", value={"order": {1, 2}})
    producer.flush()
    verdict = run.verify()
    assert verdict.valid, verdict
    assert verdict.counts["in_log"] == 20
    assert run.sends()["key_id"].nunique() == 3 + 1  # -1 is that of the send that was refused


def test_deserializers_hide_the_bytes_and_nothing_else(topic, run, clients):
    """A reader of decoded values is judged by its offsets."""
    producer = run.producer(clients(KafkaProducer))
    for number in range(20):
        producer.send(topic, b"%d" % number)
    producer.flush()
    consumer = run.consumer(group(clients, topic, value_deserializer=JsonSerializer()))
    assert {record.value for record in read(consumer, 20)} == set(range(20))
    assert set(run.reads()["event_id"]) == set(range(20))
    assert run.verify(forbid=["unseen"]).valid


def test_threads_of_one_producer_have_an_order_each(topic, run, clients):
    """Eight threads send through one producer: none is blamed for the order of another."""
    producer = run.producer(clients(KafkaProducer))

    def send(name):
        for number in range(200):
            producer.send(topic, b"%d %d" % (name, number), partition=0)

    threads = [threading.Thread(target=send, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    producer.flush()
    sends = run.sends()
    assert sends["process"].nunique() == 8
    assert (sends.groupby("process")["producer_seq"].max() == 199).all()
    assert run.verify().valid


class Heard(ConsumerRebalanceListener):
    """A learner's own listener."""

    def __init__(self):
        self.told = []

    def on_partitions_assigned(self, assigned):
        self.told.append(("assigned", len(assigned)))

    def on_partitions_revoked(self, revoked):
        self.told.append(("revoked", len(revoked)))


class Committing(AsyncConsumerRebalanceListener):
    """A listener that commits what it is about to lose, as kafka-python wants it."""

    def __init__(self, consumer):
        self.consumer, self.commits = consumer, 0

    async def on_partitions_assigned(self, assigned):
        pass

    async def on_partitions_revoked(self, revoked):
        if revoked:
            await self.consumer.commit_async()
            self.commits += 1


def test_the_learners_listener_hears_what_it_heard_before(topic, run, clients):
    """Between the client and its listener nothing gets lost; the listener may be sync."""
    consumer, heard = run.consumer(clients(KafkaConsumer, group_id=topic)), Heard()
    consumer.partitions_for_topic(topic)
    consumer.subscribe([topic], listener=heard)
    wait_until(lambda: consumer.poll(100) or consumer.assignment(), 30, "No assignment.")
    consumer.close()
    assert ("assigned", 3) in heard.told
    assert heard.told[-1] == ("revoked", 3)
    owned = run.assignments()
    assert owned["owned"].tolist() == [True] * 3 + [False] * 3
    assert (owned["generation"][:3] >= 1).all()


def test_a_listener_that_commits_is_recorded(topic, run, clients):
    """Its commit comes before the revocation that it was made for."""
    producer = run.producer(clients(KafkaProducer))
    for number in range(30):
        producer.send(topic, b"%d" % number)
    producer.flush()
    consumer = run.consumer(
        clients(KafkaConsumer, group_id=topic, auto_offset_reset="earliest",
                enable_auto_commit=False)
    )  # fmt: skip
    listener = Committing(consumer)
    consumer.partitions_for_topic(topic)
    consumer.subscribe([topic], listener=listener)
    read(consumer, 30)
    consumer.close()
    told = run.operations().query("f in ('commit', 'revoke')")["f"].tolist()
    assert listener.commits >= 1  # more often where a slow machine rebalances
    assert told == (["commit"] * 3 + ["revoke"] * 3) * listener.commits
    assert run.verify(forbid=["unseen"]).valid


def test_automatic_commits_are_known_as_they_are(topic, run, clients):
    """KIP-... aside: what auto-commit committed is what the group's offsets say."""
    producer = run.producer(clients(KafkaProducer))
    for number in range(30):
        producer.send(topic, b"%d" % number, partition=0)
    producer.flush()
    consumer = run.consumer(group(clients, topic, auto_commit_interval_ms=100))
    read(consumer, 30)
    part = TopicPartition(topic, 0)
    wait_until(lambda: consumer.poll(50) or consumer.committed(part) == 30, 20, "No commit.")
    commits = run.operations().query("f == 'commit' and partition == 0 and type == 'ok'")
    assert commits["offset"].iloc[-1] == 30
    assert run.verify().valid


def test_a_rebalance_is_seen_from_both_sides(topic, run, clients):
    """A second member takes partitions that the first gave up before: never two owners."""
    first = run.consumer(group(clients, topic, client_id="first"))
    wait_until(lambda: first.poll(100) or len(first.assignment()) == 3, 30, "No assignment.")
    second = run.consumer(group(clients, topic, client_id="second"))

    def shared():
        for consumer in (first, second):
            consumer.poll(100)
        return first.assignment() and second.assignment()

    wait_until(shared, 30, "The group did not share.")
    producer = run.producer(clients(KafkaProducer))
    producer.send(topic, b"x").get(timeout=10)
    assert run.verify().valid
    owned = run.assignments()
    assert set(owned["client"]) == {"first", "second"}
    assert owned["generation"].max() >= 2


def test_transactions_end_as_they_end(topic, run, clients):
    """Committed is acknowledged, aborted is refused: read_committed never sees it."""
    producer = run.producer(clients(KafkaProducer, transactional_id=topic))
    producer.init_transactions()
    for number, end in enumerate((producer.commit_transaction, producer.abort_transaction) * 2):
        producer.begin_transaction()
        for _ in range(5):
            producer.send(topic, b"%d" % number, partition=0)
        producer.flush()
        end()
    assert outcomes(run) == {"ok": 10, "fail": 10}
    levels = ("read_committed", "read_uncommitted")
    committed, all_ = (
        run.consumer(group(clients, topic, group_id=f"{topic}-{level}", isolation_level=level))
        for level in levels
    )
    read(committed, 10)
    read(all_, 20)
    verdict = run.verify()
    assert verdict.valid, verdict
    assert verdict.count("dirty read") == 10
    assert "read_uncommitted" in verdict.text


def test_seeks_and_assignments_are_recorded(topic, run, clients):
    """Who assigns itself and seeks is in no group, and may go where it likes."""
    producer = run.producer(clients(KafkaProducer))
    for number in range(20):
        producer.send(topic, b"%d" % number, partition=0)
    producer.flush()
    consumer = run.consumer(clients(KafkaConsumer))
    part = TopicPartition(topic, 0)
    consumer.assign([part])
    consumer.seek_to_beginning(part)
    read(consumer, 20)
    consumer.seek(part, 15)
    read(consumer, 5)
    consumer.seek_to_end()
    consumer.unsubscribe()
    told = run.operations().query("f in ('assign', 'seek', 'revoke')")
    assert list(zip(told["f"], told["offset"], strict=True)) == [
        ("assign", -1),
        ("seek", -2),
        ("seek", 15),
        ("seek", -1),
        ("revoke", -1),
    ]
    verdict = run.verify()
    assert verdict.valid, verdict
    assert verdict.count("redelivered") == 5


def test_a_recorded_client_that_is_forgotten_goes_as_ever(topic, cluster):
    """A run keeps no client alive: its thread and sockets go when the learner lets go of it."""
    run = history.record(topic)
    producer = run.producer(KafkaProducer(bootstrap_servers=cluster.bootstrap_servers))
    producer.send(topic, b"x").get(timeout=10)
    sender, gone = producer._sender, weakref.ref(producer)
    del producer
    gc.collect()
    assert gone() is None
    wait_until(lambda: not sender.is_alive(), 10, "Its thread is still there.")
    assert run.verify().valid


def test_a_client_belongs_to_the_last_run_that_asked(topic, run, clients):
    """A cell that is run again begins a new history with the same clients."""
    producer, consumer = clients(KafkaProducer), group(clients, topic)
    for one in (run, run):
        one.producer(producer)
        one.consumer(consumer)
    producer.send(topic, b"1").get(timeout=10)
    again = history.record("again")
    again.producer(producer)
    again.consumer(consumer)
    producer.send(topic, b"2").get(timeout=10)
    read(consumer, 2)
    consumer.commit({TopicPartition(topic, p): OffsetAndMetadata(0, "", -1) for p in range(3)})
    assert (len(run.sends()), len(run.reads())) == (1, 0)
    assert (len(again.sends()), len(again.reads())) == (1, 2)
    assert len(again.operations().query("f == 'commit'")) == 3
    assert run.operations().query("f == 'commit'").empty
