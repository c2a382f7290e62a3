"""The records of a topic as a table: all of them, as they are, and never more than asked for."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec

import confluent_kafka
import pandas as pd
import pytest
from kafka import KafkaProducer, TopicPartition

from eventlab import observe
from eventlab.errors import InvalidSetting, NeverHappened, UnreadableRecords
from eventlab.observe import reading
from eventlab.waiting import Deadline, wait_until
from tests.live.clients import nothing_kept_open, produce
from tests.unit.refusals import refused

LATER = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)  # Kafka refuses the future


@pytest.fixture(autouse=True)
def _nothing_is_left_open_and_nobody_is_silent(cluster):
    """Each call closes what it opens; on a cluster that is well none has anything to warn of."""
    with nothing_kept_open(cluster), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


def send(cluster, topic, *records, **config):
    """Send records in order, each a dict of what `send` takes; return when all are acknowledged."""
    with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, **config) as producer:
        for future in [producer.send(topic, **record) for record in records]:
            future.get(timeout=20)


def timed(count, first=LATER):
    """Return records a second apart, in partition 0."""
    begun = int(first.timestamp() * 1000)
    return [
        {"value": b"%d" % n, "partition": 0, "timestamp_ms": begun + n * 1000} for n in range(count)
    ]


def test_every_record_is_there_once_and_as_it_was_sent(cluster, topic):
    """Key, value, headers, time, and the place that the acknowledgement named."""
    acks = produce(cluster, topic, 200)
    frame = observe.records(cluster, topic)
    assert list(frame.columns) == [
        "topic",
        "partition",
        "offset",
        "time",
        "key",
        "value",
        "headers",
    ]
    assert list(zip(frame["partition"], frame["offset"], strict=True)) == sorted(acks)
    sent = {ack: b"%d" % number for number, ack in enumerate(acks)}
    for row in frame.itertuples():
        assert row.key == row.value == sent[row.partition, row.offset]
    assert set(frame["topic"]) == {topic}
    assert set(frame["headers"]) == {()}
    assert str(frame["time"].dtype) == "datetime64[ns, UTC]"
    assert (pd.Timestamp.now("UTC") - frame["time"]).abs().max() < pd.Timedelta(minutes=5)


def test_nothing_is_made_of_what_is_none_or_empty(cluster, topic):
    """Item 38: a tombstone is not an empty value, no key is not an empty key; headers are kept."""
    headers = [("a", b"1"), ("a", b"2"), ("empty", b"")]
    send(
        cluster,
        topic,
        {"key": b"k", "value": None, "partition": 1},
        {"key": b"k", "value": b"", "partition": 1},
        {"key": None, "value": b"v", "partition": 1, "headers": headers},
        {"key": b"", "value": b"\x00\xff", "partition": 1},
    )
    frame = observe.records(cluster, topic)
    assert list(frame["key"]) == [b"k", b"k", None, b""]
    assert list(frame["value"]) == [None, b"", b"v", b"\x00\xff"]
    assert list(frame["headers"]) == [(), (), tuple(headers), ()]


def test_an_empty_topic_is_an_empty_table(cluster, topic):
    """With its columns and their types, at once."""
    deadline = Deadline(10)
    frame = observe.records(cluster, topic)
    assert deadline.left
    assert frame.empty
    produce(cluster, topic, 1)
    assert frame.dtypes.equals(observe.records(cluster, topic).dtypes)


def test_a_part_is_chosen_by_offset(cluster, topic):
    """From one offset up to, not including, another, in some of the partitions."""
    send(cluster, topic, *({"value": b"%d" % n, "partition": n % 3} for n in range(60)))
    frame = observe.records(cluster, topic, start=5, end=8)
    assert list(frame["offset"]) == [5, 6, 7] * 3
    assert list(frame["partition"]) == [0] * 3 + [1] * 3 + [2] * 3
    one = observe.records(cluster, topic, partition=2, start=18)
    assert list(one["value"]) == [b"56", b"59"]
    two = observe.records(cluster, topic, partition=[2, 0, 2], end=1)
    assert list(two["value"]) == [b"0", b"2"]
    assert observe.records(cluster, topic, start=8, end=5).empty
    assert len(observe.records(cluster, topic, end=10**9)) == 60


def test_an_offset_and_a_time_out_of_a_table_are_taken_as_they_are(cluster, topic):
    """What one looks at leads to what one looks at next."""
    send(cluster, topic, *timed(10))
    frame = observe.records(cluster, topic)
    assert observe.records(cluster, topic, start=frame["offset"][4]).equals(
        frame[4:].reset_index(drop=True)
    )
    assert observe.records(cluster, topic, start=frame["time"][4], end=frame["time"][6]).equals(
        frame[4:6].reset_index(drop=True)
    )


def test_a_part_is_chosen_by_time(cluster, topic):
    """From the first record that is as young, up to the first that is as young as the end."""
    send(cluster, topic, *timed(10))
    part = observe.records(
        cluster, topic, start=LATER + timedelta(seconds=2.5), end=LATER + timedelta(seconds=6)
    )
    assert list(part["value"]) == [b"3", b"4", b"5"]
    assert part["time"][0] == LATER + timedelta(seconds=3)
    zone = LATER.astimezone().replace(microsecond=1000)
    assert list(observe.records(cluster, topic, end=zone)["value"]) == [b"0"]
    assert observe.records(cluster, topic, start=LATER + timedelta(days=1)).empty
    assert len(observe.records(cluster, topic, start=LATER - timedelta(days=1))) == 10
    assert observe.records(cluster, topic, end=LATER).empty


def test_a_limit_is_shared_by_the_partitions(cluster, topic):
    """The small one whole, the others alike, each from its start; no warning: it was asked for."""
    numbers = [0] * 50 + [1] * 2 + [2] * 50
    send(cluster, topic, *({"value": b"x", "partition": n} for n in numbers))
    frame = observe.records(cluster, topic, limit=20)
    assert frame.groupby("partition")["offset"].agg(list).to_dict() == {
        0: list(range(9)),
        1: [0, 1],
        2: list(range(9)),
    }
    assert len(observe.records(cluster, topic, limit=1)) == 1
    assert len(observe.records(cluster, topic, limit=1000)) == 102


def test_without_a_limit_it_says_what_it_left_out(cluster, topic, monkeypatch):
    """A table that is cut and does not say so would be a lie."""
    monkeypatch.setattr(reading, "MOST", 10)
    produce(cluster, topic, 30)
    with pytest.warns(UserWarning, match="up to 20 records more than these 10") as told:
        assert len(observe.records(cluster, topic)) == 10
    assert told[0].filename == __file__


def test_deleted_records_are_left_out_and_do_not_stop_it(cluster, topic):
    """The log starts later than 0, and so does the table."""
    send(cluster, topic, *timed(10))
    cluster.admin.delete_records({TopicPartition(topic, 0): 6})
    assert list(observe.records(cluster, topic)["offset"]) == [6, 7, 8, 9]
    assert list(observe.records(cluster, topic, start=2)["offset"]) == [6, 7, 8, 9]
    assert observe.records(cluster, topic, end=3).empty


def test_markers_are_gaps_and_aborted_records_are_a_choice(cluster, topic):
    """The log ends behind a transaction's marker, which is no record; reading ends there too."""
    producer = KafkaProducer(
        bootstrap_servers=cluster.bootstrap_servers, transactional_id=f"of-{topic}"
    )
    with producer:
        producer.init_transactions()
        for value, end in ((b"kept", "commit"), (b"aborted", "abort"), (b"kept too", "commit")):
            producer.begin_transaction()
            producer.send(topic, value, partition=0)
            producer.flush(20)
            getattr(producer, f"{end}_transaction")()
    ended = lambda: observe.partitions(cluster, topic)["log_end_offset"][0] == 6  # noqa: E731
    wait_until(ended, 10, "The last marker did not come.")
    every = observe.records(cluster, topic)
    assert list(every["value"]) == [b"kept", b"aborted", b"kept too"]
    assert list(every["offset"]) == [0, 2, 4]
    assert list(observe.records(cluster, topic, end=3)["offset"]) == [0, 2]
    committed = observe.records(cluster, topic, isolation_level="read_committed")
    assert list(committed["value"]) == [b"kept", b"kept too"]


def test_times_at_the_edges_of_what_kafka_and_pandas_know(cluster):
    """Item 43: 1970 is a time, the year 9999 is none that pandas can count in nanoseconds."""
    topic = "edges-of-time"
    ever = {"message.timestamp.after.max.ms": str(2**63 - 1), "retention.ms": "-1"}
    cluster.create_topic(topic, partitions=1, configs=ever, fresh=True)
    for milliseconds in (0, 1, 9_223_372_036_854, 253_402_300_799_000):
        send(cluster, topic, {"value": b"", "partition": 0, "timestamp_ms": milliseconds})
    times = observe.records(cluster, topic)["time"]
    assert times[0] == pd.Timestamp("1970-01-01", tz="UTC")
    assert times[1] - times[0] == pd.Timedelta(milliseconds=1)
    assert times[2] == pd.Timestamp("2262-04-11 23:47:16.854", tz="UTC")
    assert times[3] is pd.NaT
    cluster.delete_topic(topic)


def test_a_large_record_and_many_small_ones_come_whole(cluster, topic):
    """Half a megabyte beside 5,000 records, more than one poll and one fetch hold."""
    send(cluster, topic, {"value": b"x" * 500_000, "partition": 0})
    send(cluster, topic, *({"value": b"%d" % n, "partition": 0} for n in range(5000)))
    send(cluster, topic, {"value": b"y" * 900_000, "partition": 0})
    frame = observe.records(cluster, topic)
    assert list(frame["offset"]) == list(range(5002))
    assert [len(value) for value in frame["value"][[0, 5001]]] == [500_000, 900_000]
    assert list(frame["value"][1:5001]) == [b"%d" % n for n in range(5000)]


@pytest.mark.parametrize("codec", ["gzip", "lz4"])
def test_compressed_records_are_read_or_said_to_be_unreadable(cluster, topic, codec):
    """Python brings gzip along; what needs another package is named, and no foreign traceback."""

    def send_compressed() -> None:
        servers = cluster.bootstrap_servers
        producer = confluent_kafka.Producer(
            {"bootstrap.servers": servers, "compression.type": codec}
        )
        for _ in range(10):
            producer.produce(topic, b"x" * 1000, partition=0)
        assert producer.flush(20) == 0

    send_compressed()
    if codec == "gzip" or find_spec("lz4"):
        assert list(observe.records(cluster, topic)["value"]) == [b"x" * 1000] * 10
        return
    with refused(UnreadableRecords, "UnsupportedCodecError", "lz4", within=5):
        observe.records(cluster, topic)


def test_a_partition_that_is_not_there_is_named(cluster, topic):
    """Item 42: with those that there are."""
    with refused(InvalidSetting, "no partition 99", "It has 3: 0 to 2", within=2):
        observe.records(cluster, topic, partition=[0, 99])


def test_an_offset_beyond_all_logs_is_refused_with_their_end(cluster, topic):
    """Item 54. Beyond one log but not the others there is nothing of the one, as it should be."""
    send(cluster, topic, *timed(10))
    with refused(InvalidSetting, "start=11", "ends at 10", within=2):
        observe.records(cluster, topic, start=11)
    with refused(InvalidSetting, "start=1;", "ends at 0", within=2):
        observe.records(cluster, topic, partition=1, start=1)
    assert observe.records(cluster, topic, start=10).empty
    assert len(observe.records(cluster, topic, start=9)) == 1


def test_a_partition_whose_leader_is_gone_ends_at_the_deadline(cluster, name):
    """One replica, and its broker is frozen: nothing is half returned, and nothing hangs."""
    topic = f"lonely-{name}"
    cluster.create_topic(topic, partitions=3, replication_factor=1)
    produce(cluster, topic, 30)
    leader = observe.partitions(cluster, topic)["leader"][1]
    cluster.brokers[leader].freeze()
    try:
        with refused(NeverHappened, topic, within=8):
            observe.records(cluster, topic, within=3)
        rest = observe.records(cluster, topic, partition=[0, 2], within=10)
    finally:
        cluster.brokers[leader].thaw()
    assert set(rest["partition"]) == {0, 2}
    assert len(observe.records(cluster, topic)) == 30
    cluster.delete_topic(topic)


def test_a_deadline_that_is_too_short_says_what_there_was(cluster, topic):
    """Not a part of the records, which would look like all of them."""
    produce(cluster, topic, 100)
    with refused(NeverHappened, within=3):
        observe.records(cluster, topic, within=0)
