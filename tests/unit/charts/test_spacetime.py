"""Who sent what when, where it lay, who read it when."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba

from eventlab import charts
from eventlab.charts.ways import LABELS, STYLES
from tests.unit.charts.known import FAULTS, at, bars, line, operations, points, timed


def ways(axes, label):
    """Return start and end of the arrows of a kind, as (time, lane) each."""
    kind = next(kind for kind, text in LABELS.items() if text == label)
    colour = STYLES[kind]["color"]
    (found,) = [
        drawn
        for drawn in axes.collections
        if isinstance(drawn, LineCollection) and tuple(drawn.get_color()[0]) == to_rgba(colour)
    ]
    return [np.round(way, 6).tolist() for way in found.get_segments()]


def lanes(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_arrows_and_table_agree():
    """From who to where to who, at the times that the operations have."""
    axes = charts.spacetime(operations())
    assert lanes(axes) == ["shop", "", "partition 0", "partition 1", "", "alice", "bob"]
    assert ways(axes, "sent and acknowledged") == [
        [[1, 0], [1.2, 2]],
        [[2, 0], [2.3, 3]],
        [[8, 0], [8.1, 3]],
    ]
    assert ways(axes, "read") == [[[1.2, 2], [1.5, 5]], [[2.3, 3], [2.6, 5]], [[8.1, 3], [8.4, 6]]]
    assert ways(axes, "read again") == [[[2.3, 3], [7.5, 6]]]
    assert ways(axes, "send failed") == [[[3, 0], [3.1, 0.45]]]
    table = charts.describe(axes).table
    assert table["kind"].value_counts().to_dict() == {
        "acknowledged": 3,
        "read": 3,
        "failed": 1,
        "read again": 1,
        "unknown": 0,
    }
    again = table[table["kind"] == "read again"].iloc[0]
    assert (again["process"], again["partition"], again["offset"]) == (2, 1, 0)
    assert (again["start"], again["end"]) == tuple(at([2.3, 7.5]))


def test_the_words_for_known_data():
    """Literal, so that they are read when they change."""
    assert charts.describe(charts.spacetime(operations())) == (
        "1 of 4 reads were of a record that had been read before. "
        "1 producer, 2 partitions and 2 consumers over 8.4 s: 3 sent and acknowledged, 3 read, "
        "1 read again and 1 send failed. Half of the reads came within 300 ms of the record's "
        "arrival, the last within 300 ms. Consumers were given partitions 2 times."
    )


def test_rebalances_and_commits_are_on_the_lane_of_the_consumer():
    """A band while it owns something, a mark where it was given that."""
    axes = charts.spacetime(operations())
    assert bars(axes, "owns partitions") == [(0, 6, 5, 0.3), (7, 8.4, 6, 0.3)]
    assert line(axes, "rebalance").to_numpy().tolist() == [[0, 5], [7, 6]]
    assert line(axes, "commit").to_numpy().round(6).tolist() == [[1.6, 5.26]]


def test_a_fault_on_a_client_is_marked_on_its_lane():
    """A consumer that was killed says nothing more of itself."""
    faults = FAULTS.assign(target="alice", fault="killed")
    axes = charts.spacetime(operations(), faults=faults)
    assert line(axes, "fault").to_numpy().tolist() == [[4, 5]]


def test_faults_among_the_operations_are_found_unless_others_are_given():
    """A history holds them; each ends where it was healed, if it was."""
    slow = "link slow: broker 1"
    rows = [(3.5, "fault", slow), (4.0, "fault", "killed: alice"), (5.0, "heal", slow)]
    told = timed(rows, "f", "error").assign(client="faults", type="ok", process=9, topic="")
    told = told.assign(partition=-1, offset=-1, event_id=-1)
    both = pd.concat([operations(), told], ignore_index=True)
    said = charts.describe(charts.spacetime(both))
    faults = "Faults: link slow, broker 1 (3.5 s to 5 s) and killed, alice (from 4 s on)."
    assert said.endswith(faults)
    assert line(charts.spacetime(both), "fault").to_numpy().tolist() == [[4, 5]]
    assert "Faults: leader killed" in charts.describe(charts.spacetime(both, faults=FAULTS))
    assert "Faults" not in charts.describe(charts.spacetime(both, faults=FAULTS[:0]))


def test_offsets_are_written_where_few_records_land():
    """As in every drawing of a log."""
    written = [text.get_text() for text in charts.spacetime(operations()).texts]
    assert written == ["producers", "partitions", "consumers", "0", "0", "1"]


@pytest.mark.parametrize("outcome", ["info", None])
def test_a_send_without_an_answer_is_unknown(outcome):
    """After a timeout nobody knows whether the record is in the log."""
    frame = operations()
    place = frame.index[(frame["event_id"] == 3) & (frame["type"] == "ok") & (frame["f"] == "send")]
    frame = frame.drop(index=place) if outcome is None else frame
    if outcome:
        frame.loc[place, ["type", "offset"]] = (outcome, -1)
    kinds = charts.describe(charts.spacetime(frame)).table["kind"].value_counts()
    assert (kinds["unknown"], kinds["acknowledged"]) == (1, 2)


def test_a_record_that_is_read_before_its_acknowledgement_was_there_by_then():
    """The consumer may be quicker than the answer to the producer; no arrow goes back in time."""
    frame = operations()
    late = (frame["event_id"] == 0) & (frame["f"] == "send") & (frame["type"] == "ok")
    frame.loc[late, "time"] = at([1.9])
    axes = charts.spacetime(frame)
    assert ways(axes, "sent and acknowledged")[0] == [[1, 0], [1.5, 2]]
    assert ways(axes, "read")[0] == [[1.5, 2], [1.5, 5]]
    table = charts.describe(axes).table
    assert (table["start"] <= table["end"]).all()


@pytest.mark.parametrize("apart", [2**31, 2**62])
def test_offsets_may_be_as_large_as_kafka_allows(apart):
    """Two records of two partitions are not one, whatever their numbers come to."""
    frame = operations()
    polls = frame["f"] == "poll"
    frame.loc[polls, "partition"], frame.loc[polls, "offset"] = [0, 1, 2, 3], [0, apart, 7, 0]
    assert "read again" not in charts.describe(charts.spacetime(frame))
    frame.loc[polls, "partition"], frame.loc[polls, "offset"] = [3, 0, 1, 3], [apart, 5, 0, apart]
    assert "1 read again" in charts.describe(charts.spacetime(frame))


@pytest.mark.parametrize("nobody", ["", None])
def test_consumers_of_no_group_read_each_for_themselves(nobody):
    """A history says "" of who belongs to no group; two of them share nothing."""
    frame = operations()
    assert "1 read again" in charts.describe(charts.spacetime(frame))
    alone = charts.describe(charts.spacetime(frame.assign(group_id=nobody)))
    assert "read again" not in alone


def test_each_group_reads_every_record_once():
    """A second group is no redelivery."""
    frame = operations().assign(group_id=lambda f: f["client"].map({"alice": "a", "bob": "b"}))
    assert not (charts.describe(charts.spacetime(frame)).table["kind"] == "read again").any()


def test_what_others_wrote_is_read_from_its_partition():
    """Without a send of ours it comes from nowhere else."""
    frame = operations()
    frame = frame[frame["f"] != "send"].assign(event_id=-1)
    axes = charts.spacetime(frame)
    assert lanes(axes)[0] == "partition 0"
    assert ways(axes, "read")[0] == [[1.5, 0], [1.5, 3]]


def test_many_records_are_few_arrows_and_the_slow_and_the_repeated_are_among_them():
    """The longest of each moment; the legend says so and counts them all."""
    count = 20_000
    sent = np.arange(count) / 100
    acked, read = sent + 0.001, sent + 0.002
    read[7_777] += 5
    rows = {"process": 0, "topic": "orders", "partition": 0, "event_id": np.arange(count)}
    offset = np.arange(count)
    parts = [
        pd.DataFrame(rows | {"f": "send", "type": "invoke", "offset": -1, "time": at(sent)}),
        pd.DataFrame(rows | {"f": "send", "type": "ok", "offset": offset, "time": at(acked)}),
        pd.DataFrame(rows | {"f": "poll", "type": "ok", "offset": offset, "time": at(read)}),
    ]
    parts[2]["process"] = 1
    again = parts[2].iloc[[5_555]].assign(time=at([190]))
    axes = charts.spacetime(pd.concat([*parts, again], ignore_index=True))
    assert points(axes) <= 2_000
    assert len(ways(axes, "read again")) == 1
    assert [[1.296183, 2], [1.379533, 4]] in ways(axes, "read")  # minutes, five seconds apart
    legend = axes.get_legend()
    assert "of 40,001 arrows" in legend.get_title().get_text()
    assert "read: 20,000" in [text.get_text() for text in legend.get_texts()]


def test_a_seek_to_the_beginning_or_the_end_is_no_strange_offset():
    """A history has -2 and -1 for them, as Kafka's own protocol does."""
    seeks = timed([(2, 1, "seek", -2), (3, 1, "seek", -1)], "process", "f", "offset")
    seeks = seeks.assign(client="alice", type="ok", topic="orders", partition=0, event_id=-1)
    both = pd.concat([operations(), seeks], ignore_index=True)
    assert charts.describe(charts.spacetime(both)) == charts.describe(
        charts.spacetime(operations())
    )


def test_operations_that_moved_no_record_have_nothing_to_show():
    """A group that was only formed."""
    frame = operations()
    axes = charts.spacetime(frame[frame["f"] == "assign"])
    assert charts.describe(axes) == "No record was sent or read."
