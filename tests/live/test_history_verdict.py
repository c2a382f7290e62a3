"""A verdict on the live cluster: valid where all is well, and what was forced is named."""

from __future__ import annotations

import time

import pytest
from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition

from eventlab import Cluster, environment, faults, history
from eventlab.cluster.topics import partition
from eventlab.errors import HistoryMismatch
from eventlab.waiting import wait_until
from tests.live.clients import produce
from tests.live.test_history_recording import clients, group, read, run
from tests.unit.refusals import assert_three_sentences

__all__ = ["clients", "run"]  # fixtures


def send(producer, topic, count, first=0, **config):
    """Send so many numbered records and wait until all are answered."""
    for number in range(first, first + count):
        producer.send(topic, key=b"c%d" % (number % 10), value=b"order %d" % number, **config)
    producer.flush()


def test_a_seek_back_is_a_second_delivery(topic, run, clients):
    """Allowed, since a group reads at least once; an exercise may forbid it."""
    send(run.producer(clients(KafkaProducer)), topic, 30, partition=0)
    consumer = run.consumer(group(clients, topic))
    read(consumer, 30)
    consumer.seek(TopicPartition(topic, 0), 10)
    read(consumer, 20)
    verdict = run.verify()
    assert (verdict.outcome, verdict.count("redelivered")) == ("valid", 20)
    strict = run.verify(forbid=["redelivered"])
    assert strict.outcome == "invalid"
    assert strict.witnesses("redelivered")["offset"].min() == 7  # three neighbours before 10


def test_what_one_replica_acknowledged_is_waited_for(cluster, run, clients, name):
    """acks=1 is told before followers have it, and until then nobody can read it: no alarm."""
    topic = f"slow-{name}"
    cluster.create_topic(topic, partitions=1, replication_factor=2)
    replicas = partition(cluster._admin, topic, 0).replicas
    with faults.link_slow(cluster, *replicas, latency=0.5):
        send(run.producer(clients(KafkaProducer, acks=1)), topic, 10)
        assert str(run.verify()).startswith(f"{run.name}: valid.")
    cluster.delete_topic(topic)


def test_a_commit_that_moves_back_is_named(topic, run, clients):
    """A committed offset that falls: the group would read again from there."""
    send(run.producer(clients(KafkaProducer)), topic, 30, partition=0)
    consumer = run.consumer(group(clients, topic, enable_auto_commit=False))
    read(consumer, 30)
    for offset in (30, 12):
        consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(offset, "", -1)})
    verdict = run.verify()
    assert verdict.outcome == "invalid"
    assert "12 after 30" in verdict.text
    assert verdict.count("commit moved back") == 1


def test_a_commit_ahead_of_reading_skips(topic, run, clients):
    """Committed at the end and never read: the next consumer of the group begins behind it."""
    send(run.producer(clients(KafkaProducer)), topic, 30, partition=0)
    first = run.consumer(group(clients, topic, enable_auto_commit=False))
    read(first, 10, max_records=10)
    first.commit({TopicPartition(topic, 0): OffsetAndMetadata(20, "", -1)})
    first.close()
    second = run.consumer(group(clients, topic))
    read(second, 10)
    verdict = run.verify()
    assert verdict.outcome == "invalid"
    assert verdict.count("commit ahead") == 1
    assert verdict.count("skipped") == 10


def test_auto_offset_reset_latest_leaves_records_unseen(topic, run, clients):
    """The first surprise with Kafka: sent before the group began, and never given to it."""
    producer = run.producer(clients(KafkaProducer))
    send(producer, topic, 20, partition=0)
    consumer = run.consumer(group(clients, topic, auto_offset_reset="latest"))
    part = TopicPartition(topic, 0)
    wait_until(lambda: consumer.poll(100) or consumer.assignment(), 30, "No assignment.")
    assert consumer.position(part) == 20
    send(producer, topic, 5, partition=0)
    read(consumer, 5)
    verdict = run.verify()
    assert (verdict.outcome, verdict.count("unseen")) == ("valid", 20)
    assert "auto_offset_reset" in run.verify(forbid=["unseen"]).text


def test_handlers_and_effects(topic, run, clients):
    """Handled once each; what is handled twice, or committed before, is named."""
    import pandas as pd

    send(run.producer(clients(KafkaProducer)), topic, 10, partition=0)
    consumer = run.consumer(group(clients, topic, enable_auto_commit=False))
    records = read(consumer, 10)
    for record in records:
        run.handled(record)
    consumer.commit()
    assert run.verify().valid
    effects = pd.DataFrame([(topic, 0, o) for o in range(10)], columns=history.EFFECT)
    assert run.verify(effects=effects).valid
    assert run.verify(effects=effects[1:]).count("effect missing") == 1
    run.handled(records[3])
    assert run.verify().count("effect doubled") == 1


def test_partitions_that_are_added_split_keys(cluster, topic, run, clients):
    """The same key goes elsewhere from then on: its order is not kept, and that is named."""
    producer = run.producer(clients(KafkaProducer, metadata_max_age_ms=500))
    send(producer, topic, 30)
    assert run.verify().valid
    cluster.admin.create_partitions({topic: 12})
    wait_until(lambda: len(producer.partitions_for(topic)) == 12, 20, "Still 3 partitions.")
    send(producer, topic, 30, first=30)
    verdict = run.verify()
    assert verdict.outcome == "invalid"
    assert verdict.count("key split") > 0
    assert "Were partitions added" in verdict.text


def test_records_of_nobody_and_of_before(cluster, topic, clients):
    """Another producer's records are phantoms, unless they are older than the run."""
    produce(cluster, topic, 20)
    run = history.record(topic)
    send(run.producer(clients(KafkaProducer)), topic, 20)
    verdict = run.verify()
    assert (verdict.outcome, verdict.counts["others"]) == ("valid", 20)
    produce(cluster, topic, 5)
    verdict = run.verify()
    assert (verdict.outcome, verdict.count("phantom")) == ("invalid", 5)
    assert run.verify(allow=["phantom"]).valid


def test_what_was_deleted_is_not_lost(cluster, topic, run, clients):
    """The start of the log moved, as by retention: nothing is missing below it."""
    send(run.producer(clients(KafkaProducer)), topic, 30, partition=0)
    cluster.admin.delete_records({TopicPartition(topic, 0): 20})
    verdict = run.verify()
    assert (verdict.outcome, verdict.counts["in_log"]) == ("valid", 10)


def test_a_topic_that_is_gone_or_another_leaves_it_unknown(cluster, topic, run, clients):
    """What was in a topic that was deleted cannot be judged; the verdict says which."""
    name = f"{topic}-gone"
    cluster.create_topic(name, 1, fresh=True)
    send(run.producer(clients(KafkaProducer)), name, 10)
    cluster.create_topic(name, 1, fresh=True)
    verdict = run.verify()
    assert verdict.outcome == "unknown"
    assert f"The topic {name} is another" in verdict.text
    cluster.delete_topic(name)
    assert f"The topic {name} is not there any more." in run.verify().text


def test_a_run_is_saved_and_judged_again(cluster, topic, run, clients, tmp_path):
    """With its last final read in it, and against the cluster itself."""
    send(run.producer(clients(KafkaProducer)), topic, 30)
    consumer = run.consumer(group(clients, topic))
    read(consumer, 30)
    consumer.commit()
    verdict = run.verify()
    path = run.save(tmp_path / "orders.npz")
    loaded = history.load(path)
    assert str(loaded.verify()) == str(verdict)
    assert loaded.operations().equals(run.operations())
    assert loaded.reads().equals(run.reads())
    assert history.load(path, cluster).verify().valid


def test_a_history_of_another_cluster_is_refused(name, topic, run, clients, tmp_path):
    """Topics of the same name elsewhere say nothing of this run."""
    send(run.producer(clients(KafkaProducer)), topic, 3)
    path = run.save(tmp_path / "orders.npz")
    with Cluster(name, profile="small") as other:
        other.create_topic(topic, 1)
        with pytest.raises(HistoryMismatch) as caught:
            history.load(path, other).verify()
    assert_three_sentences(caught.value)


def test_a_cluster_that_does_not_answer_leaves_it_unknown_in_time(name, topic):
    """All brokers frozen: the answer comes by the deadline, and says that it does not know."""
    with Cluster(name, profile="small") as cluster:
        cluster.create_topic(topic, 1)
        run = history.record(topic)
        with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer:
            send(run.producer(producer), topic, 10)
        (broker,) = cluster.brokers.values()
        broker.freeze()
        begun = time.monotonic()
        try:
            verdict = run.verify(within=4)
        finally:
            broker.thaw()
        assert time.monotonic() - begun < 8 * environment.patience()
        assert verdict.outcome == "unknown"
        wait_until(lambda: run.verify().valid, 30, lambda: str(run.verify()))


def test_fifty_acknowledged_records_are_lost_and_named(name):
    """acks=1, both followers frozen, the leader killed: exactly those that it alone had."""
    with Cluster(name) as cluster:
        cluster.create_topic("orders", 1, 3, 1)
        servers, run = cluster.bootstrap_servers, history.record("loss")
        with KafkaProducer(bootstrap_servers=servers, acks="all") as safe:
            send(run.producer(safe), "orders", 100)
        hasty = KafkaProducer(bootstrap_servers=servers, acks=1, enable_idempotence=False)
        with run.producer(hasty):
            hasty.partitions_for("orders")  # while all brokers answer
            (part,) = cluster.admin.describe_topics(["orders"])[0]["partitions"]
            leader = cluster.brokers[part["leader_id"]]
            followers = [b for n, b in cluster.brokers.items() if n != leader.node_id]
            for follower in followers:
                follower.freeze()
            frozen = time.monotonic()
            # A fetch that waits at the leader would carry off the next records; after half a
            # second (replica.fetch.wait.max.ms) it has been answered, with none.
            wait_until(lambda: time.monotonic() - frozen > 0.8, 5, "Time stood still.")
            send(hasty, "orders", 50, first=100)
            leader.kill()
            for follower in followers:
                follower.thaw()
            send(hasty, "orders", 10, first=150)
        verdict = run.verify()
        assert verdict.outcome == "invalid", verdict
        assert verdict.count("lost") == 50
        cases = verdict.witnesses("lost").query("place == 0")
        assert len(cases) == 32
        assert "no file of brokers" in verdict.text  # the one that had them is not running
        leader.start()
        assert run.verify().count("lost") == 50
