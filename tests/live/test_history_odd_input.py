"""What learners send by mistake is recorded as what it was, and the verdict stays right."""

from __future__ import annotations

import json
import math
import os
import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError

from eventlab import faults, history, observe
from eventlab.errors import InvalidSetting
from tests.live.clients import nothing_kept_open
from tests.live.test_history_recording import clients, group, outcomes, read, run
from tests.unit.refusals import refused

__all__ = ["clients", "run"]  # fixtures

KEYS = [None, b"", b"x" * 65_536, "\U0001f600".encode(), "é".encode(), "e\u0301".encode(), b"\0",
        b"1", bytearray(b"array"), memoryview(b"view")]  # fmt: skip


def test_keys_of_every_kind_are_told_apart_and_kept(topic, run, clients, tmp_path):
    """Item 39: none, empty, long, emoji, combining, NUL; in the log, in the judge and in a file."""
    producer = run.producer(clients(KafkaProducer))
    consumer = run.consumer(group(clients, topic))
    acks = [producer.send(topic, b"same", key=key).get(30) for key in KEYS]
    read(consumer, len(KEYS))
    for wrong in (1, "1", "\ud800", True):
        with pytest.raises(TypeError):
            producer.send(topic, b"same", key=wrong)
    assert outcomes(run) == {"ok": len(KEYS), "fail": 4}
    assert run.verify().valid
    sends = run.sends()[: len(KEYS)]
    assert sends["event_id"].is_unique
    assert sends["partition"].tolist() == [ack.partition for ack in acks]
    assert sends["key_id"].tolist() == [-1, 0, 1, 2, 3, 4, 5, 6, -1, 7]
    assert run.reads()["event_id"].nunique() == len(KEYS)
    assert history.load(run.save(tmp_path / "run.npz")).verify().valid


def test_a_key_is_what_its_serializer_made_of_it(topic, run, clients):
    """Item 39: 1, "1" and b"1" are one key with str(), and b"1" another; a surrogate is refused."""
    producer = run.producer(clients(KafkaProducer, key_serializer=lambda key: str(key).encode()))
    for key in (1, "1", b"1"):
        producer.send(topic, b"x%d" % len(str(key)), key=key).get(30)
    with pytest.raises(UnicodeEncodeError):
        producer.send(topic, b"x", key="\ud800")
    assert run.sends()["key_id"].tolist() == [0, 0, 1, -1]
    assert outcomes(run) == {"ok": 3, "fail": 1}


def test_what_has_no_json_is_a_failure_that_never_left(topic, run, clients):
    """Item 35: a set, a Decimal, a time, bytes, a cycle, a depth: each is named, none is sent."""
    cycle: list = []
    cycle.append(cycle)
    deep: list = []
    for _ in range(10**5):
        deep = [deep]
    make = lambda value: json.dumps(value).encode()  # noqa: E731
    producer = run.producer(clients(KafkaProducer, value_serializer=make))
    wrong = [{1}, Decimal(1), datetime.now(UTC), b"bytes", cycle, deep]
    for value in wrong:
        with pytest.raises((TypeError, ValueError, RecursionError)):
            producer.send(topic, value)
    for value in (math.nan, None, "", {}):
        producer.send(topic, value, key=b"k").get(30)
    assert outcomes(run) == {"fail": len(wrong), "ok": 4}
    assert run.verify().valid
    assert len(observe.records(run_cluster(producer), topic)) == 4


def run_cluster(producer: KafkaProducer) -> str:
    """Return the addresses that a producer was given."""
    return str(producer.config["bootstrap_servers"])


def test_partitions_times_and_headers_that_cannot_be_are_failures(topic, run, clients):
    """Items 42, 43 and 44: none of it reaches the log, and all of it can be looked at."""
    producer = run.producer(clients(KafkaProducer, enable_idempotence=False))
    wrong = [
        *({"partition": part} for part in (-1, 99, "0", 0.5, 2**70)),
        *({"timestamp_ms": when} for when in (1.5, "now")),
        *({"headers": told} for told in ([("a", None)], [("a", "b")], [(None, b"x")], {"a": b"b"})),
    ]
    for given in wrong:
        with pytest.raises((TypeError, ValueError, KafkaError)):
            producer.send(topic, b"wrong", **given)
    with pytest.raises(KafkaError):  # later than message.timestamp.after.max.ms lets it be
        producer.send(topic, b"late", timestamp_ms=253_402_300_799_000).get(30)
    right = [{"headers": [("h", b"x")] * 1000}, {"headers": [("a", b"1"), ("a", b"2")]},
             {"headers": []}, {"timestamp_ms": 0}, {"partition": True}]  # fmt: skip
    for number, given in enumerate(right):
        producer.send(topic, b"right %d" % number, **given).get(30)
    assert outcomes(run) == {"fail": len(wrong) + 1, "ok": len(right)}
    operations = run.operations()
    assert set(operations["partition"]) <= {-1, 0, 1, 2, 99}
    assert run.verify().valid
    headers = observe.records(run_cluster(producer), topic)["headers"]
    assert sorted(map(len, headers)) == [0, 0, 0, 2, 1000]


def test_a_callback_that_raises_changes_nothing(topic, run, clients):
    """Item 46: the learner's error is the learner's; the record is acknowledged and known."""

    def wrong(*_: object) -> None:
        raise ZeroDivisionError

    producer = run.producer(clients(KafkaProducer))
    for number in range(20):
        producer.send(topic, b"%d" % number).add_callback(wrong).add_errback(wrong)
    producer.flush(30)
    assert outcomes(run) == {"ok": 20}
    assert run.verify().valid


def test_a_generator_that_raises_midway_has_sent_what_it_had_sent(topic, run, clients):
    """Item 49: the history says what."""

    def orders():
        yield from range(7)
        raise LookupError

    producer = run.producer(clients(KafkaProducer))

    def publish() -> None:
        for number in orders():
            producer.send(topic, b"%d" % number)

    with pytest.raises(LookupError):
        publish()
    producer.flush(30)
    assert outcomes(run) == {"ok": 7}
    assert run.verify().valid


def test_fifty_threads_send_while_the_producer_is_closed(topic, run, clients):
    """Item 47: each send is acknowledged, refused or unknown, and nothing acknowledged is lost."""
    producer = run.producer(clients(KafkaProducer))
    producer.send(topic, b"first").get(30)
    closing = threading.Barrier(51)

    def send(number: int) -> None:
        for turn in range(40):
            if turn == 20:
                closing.wait(30)
            try:
                producer.send(topic, b"%d-%d" % (number, turn))
            except KafkaError:
                return

    threads = [threading.Thread(target=send, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    closing.wait(30)
    producer.close(timeout=30)
    for thread in threads:
        thread.join(60)
    with pytest.raises(KafkaError):
        producer.send(topic, b"after")
    counts = outcomes(run)
    assert counts["ok"] >= 1
    assert run.sends().iloc[-1]["type"] == "fail"
    verdict = run.verify()
    assert verdict.valid
    assert len(observe.records(run_cluster(producer), topic)) >= counts["ok"]


def test_a_fork_leaves_the_history_of_its_parent_alone(topic, run, clients):
    """Item 47: a client has no network thread in a fork, so that nothing is sent there."""
    producer = run.producer(clients(KafkaProducer))
    producer.send(topic, b"before").get(30)
    child = os.fork()
    if child == 0:
        try:
            producer.send(topic, b"in the child").get(0.5)
        except KafkaError:
            os._exit(7)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    producer.send(topic, b"after").get(30)
    assert outcomes(run) == {"ok": 2}
    assert run.verify().valid


@pytest.mark.parametrize("acks", [0, 1, "all", -1])
def test_every_kind_of_acknowledgement_is_judged_by_what_it_promises(topic, run, clients, acks):
    """Item 45: as the client takes them; acks=0 promises nothing, and that is what is known."""
    producer = run.producer(clients(KafkaProducer, acks=acks))
    for number in range(10):
        producer.send(topic, b"%d" % number)
    producer.flush(30)
    assert outcomes(run) == {"info" if acks == 0 else "ok": 10}
    assert run.verify().valid


def test_acknowledgements_that_kafka_does_not_know_are_failures(topic, run, clients):
    """Item 45: acks=5 is taken by the client, and refused by the broker (INVALID_REQUIRED_ACKS)."""
    producer = run.producer(clients(KafkaProducer, acks=5))
    with pytest.raises(KafkaError):
        producer.send(topic, b"x").get(30)
    assert outcomes(run) == {"fail": 1}
    assert run.verify().valid


def test_a_history_leaves_nothing_behind(cluster, topic):
    """Recorded, judged, given a fault, refused a wrong one, interrupted: no thread, no socket."""
    with nothing_kept_open(cluster):
        run = history.record(topic, cluster)
        with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer:
            run.producer(producer)
            producer.send(topic, b"x").get(30)
        with faults.clients_slow(cluster, latency=0.001):
            run.faults(faults.frame(cluster))
        run.faults(faults.frame(cluster))
        assert run.verify().valid
        with refused(InvalidSetting, "effects"):
            run.verify(effects="none")
    told = run.operations().query("f in ('fault', 'heal')")["error"]
    assert told.tolist()[-2:] == ["clients slow: all brokers"] * 2
