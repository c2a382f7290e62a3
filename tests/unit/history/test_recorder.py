"""The recorder keeps rows whole, is small, and tells frames what they need."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

from eventlab import history
from eventlab.history.names import MOST_KEYS, Names, checksum, checksums
from eventlab.history.outcomes import refused
from tests.unit.history.story import P0, P1, Story


def test_rows_of_many_threads_are_whole_and_each_thread_is_a_process():
    """Twenty threads send at once: no row is mixed up, and each has an order of its own."""
    recorder = history.record("run").recorder("producer")
    run = history.record("run")
    recorder = run.recorder("producer")
    together = threading.Barrier(20)

    def send(thread):
        together.wait()
        for number in range(300):
            send = recorder.sent("orders", b"%d" % thread, b"%d %d" % (thread, number))
            recorder.acked(send, thread % 3, thread * 1000 + number)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sends = run.sends()
    assert len(sends) == 6_000
    assert sends["process"].nunique() == 20
    for _, of_one in sends.groupby("process"):
        assert of_one["producer_seq"].tolist() == list(range(300))
        assert of_one["offset"].is_monotonic_increasing
        assert of_one["key_id"].nunique() == 1
    assert (sends["type"] == "ok").all()


def size(*columns) -> int:
    """Return the bytes of these arrays, with the room they keep for more."""
    return sum(sys.getsizeof(column) for column in columns)


def test_an_operation_takes_at_most_72_bytes():
    """A million operations are a few dozen megabytes, in memory as in the file."""
    run = history.record("run")
    recorder, count = run.recorder("client", "group"), 20_000
    for number in range(count):
        send = recorder.sent("orders", b"k%d" % (number % 100), b"%d" % number)
        recorder.acked(send, 0, number)
    assert size(recorder._sends, recorder._answers) / count <= 72
    for number in range(count):
        recorder.read("orders", 0, number, b"k", b"%d" % number)
    assert size(recorder._polls, recorder._offsets, recorder._checks) / count <= 72
    evidence = run._evidence()
    frozen = sum(column.nbytes for column in vars(evidence.sends).values())
    assert frozen / count <= 72


def test_keys_beyond_the_most_are_told_apart_and_have_no_name():
    """Memory does not grow with the number of keys."""
    names = Names()
    numbers = {names.key(b"%d" % number) for number in range(MOST_KEYS + 500)}
    assert len(numbers) == MOST_KEYS + 500
    assert len(names.keys) <= MOST_KEYS


@pytest.mark.parametrize("value", [0, "", [], {}, 7, "text", {"a": 1}, object()])
def test_what_is_no_bytes_has_no_checksum(value):
    """A deserialised value says nothing of the bytes; nor does one that looks like nothing."""
    assert checksum(b"k", value) == checksum(value, b"v") == 0


def test_a_checksum_tells_key_from_value():
    """Of a key and of a value, also where one is missing."""
    pairs = [
        (b"a", b"b"),
        (b"b", b"a"),
        (None, b"ab"),
        (b"ab", None),
        (None, None),
        (None, b""),
        (b"", b""),
    ]
    sums = [checksum(*pair) for pair in pairs]
    assert len(set(sums)) == len(pairs)
    assert 0 not in sums
    records = [(None,) * 6 + pair for pair in pairs]
    assert checksums(records) == sums
    assert checksums([*records, (None,) * 6 + (None, 7)]) == [*sums, 0]


class Told:
    """An error as kafka-python has it."""

    def __init__(self, errno):
        self.errno = errno


def test_only_certain_errors_are_failures():
    """Refused before it was written; not what a retry may hide, nor what says nothing."""
    assert [code for code in range(-1, 132) if refused(Told(code), 10)] == [
        10, 17, 18, 21, 29, 31, 32, 43, 44, 53, 76, 87,
    ]  # fmt: skip
    assert refused(Told(19), 0)  # NOT_ENOUGH_REPLICAS, and nothing was tried before
    assert not refused(Told(20), 0)  # NOT_ENOUGH_REPLICAS_AFTER_APPEND
    assert not refused(TimeoutError(), 0)


def test_frames_have_the_agreed_columns():
    """Charts and checks are made on these names."""
    story = Story()
    producer, consumer = story.producer(), story.consumer()
    story.own(consumer, 1, [P0, P1])
    story.send(producer, b"a", P0, key=b"c1")
    story.send(producer, b"b", P1, key=b"c2")
    story.poll(consumer, [0])
    story.poll(consumer, [0], P1)
    consumer.committed({P0: 1}, at=story.tick())
    consumer.revoked([P0], at=story.tick())
    run = story.run
    assert list(run.reads()) == [
        "process", "client", "topic", "partition", "offset", "event_id", "key_id", "producer",
        "producer_seq", "time",
    ]  # fmt: skip
    assert list(run.assignments()) == [
        "time", "process", "client", "topic", "partition", "owned", "generation",
    ]  # fmt: skip
    operations = run.operations()
    assert list(operations) == [
        "op", "process", "client", "group_id", "type", "f", "topic", "partition", "offset",
        "event_id", "key_id", "producer_seq", "generation", "time", "error",
    ]  # fmt: skip
    assert operations["f"].tolist() == [
        "assign", "assign", "send", "send", "send", "send", "poll", "poll", "commit", "revoke",
    ]  # fmt: skip
    assert operations["type"].tolist()[2:6] == ["invoke", "ok", "invoke", "ok"]
    assert operations["group_id"].tolist() == [*["billing"] * 2, *[""] * 4, *["billing"] * 4]
    assert str(run.reads()["time"].dtype) == "datetime64[ns, UTC]"
    assert run.reads()["event_id"].tolist() == [0, 1]
    assert run.reads()["key_id"].tolist() == [0, 1]


def test_ops_are_numbered_in_the_order_of_time():
    """An operation has one number, when it begins and when it ends."""
    story = Story()
    producer = story.producer()
    story.sends(producer, 5)
    story.poll(story.consumer(), range(5))
    operations = story.run.operations()
    assert sorted(operations["op"].unique()) == list(range(10))
    assert operations["time"].is_monotonic_increasing
    both = operations[operations["f"] == "send"].groupby("op")["type"].agg(list)
    assert both.tolist() == [["invoke", "ok"]] * 5


def test_records_for_a_chart_have_every_record_and_every_lost_one():
    """The frame that a chart of anomalies takes."""
    story = Story()
    story.sends(story.producer(), 5)
    story.write(P0, b"1", None)
    del story.logs[P0][3]
    records = story.judge().records()
    assert list(records) == [
        "topic", "partition", "offset", "event_id", "key_id", "producer_seq", "process", "time",
        "anomaly", "in_log",
    ]  # fmt: skip
    assert records["offset"].tolist() == [0, 1, 2, 3, 4, 5]
    assert records["anomaly"].fillna("").tolist() == ["", "", "", "lost", "", "duplicate"]
    assert records["in_log"].tolist() == [True, True, True, False, True, True]
    assert records["event_id"].tolist() == [0, 1, 2, 3, 4, 1]


def test_sparse_offsets_need_no_memory():
    """An offset may be as large as Kafka allows."""
    story = Story()
    producer = story.producer()
    for gap in (0, 10**15, 3, 10**17):
        send = producer.sent("orders", None, b"%d" % gap, at=story.tick())
        producer.acked(send, 0, story.write(P0, b"%d" % gap, None, gap), at=story.tick())
    consumer = story.consumer()
    story.poll(consumer, [record.offset for record in story.logs[P0]])
    assert story.judge().outcome == "valid"
    del story.logs[P0][2]
    assert story.judge().count("lost") == 1


def test_a_verdict_says_itself_in_a_line_in_words_and_as_a_table():
    """One line for the eye, a paragraph for the ear, a table for the cell."""
    story = Story()
    story.sends(story.producer(), 40)
    story.logs[P0] = story.logs[P0][::2]
    verdict = story.judge()
    assert repr(verdict) == "<Verdict story: invalid (20 lost).>"
    assert "\n" not in repr(verdict)
    assert str(verdict).startswith("story: invalid (20 lost).\n40 sent: 40 acknowledged")
    assert "Look at the producer's acks" in verdict.text
    assert "<table>" in verdict._repr_html_()
    assert list(verdict.table) == ["anomaly", "count", "allowed", "meaning", "next"]
    assert len(verdict.witnesses("lost")["witness"].unique()) == 20
    story.logs[P0] = []
    assert len(np.unique(story.judge().witnesses("lost")["witness"])) == 32
