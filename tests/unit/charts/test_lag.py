"""Lag over time: lines, gaps, names and a table of what was there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from eventlab import charts
from eventlab.charts.lags import NAMED
from tests.unit.charts.known import at, lags, line, points


def test_the_lines_are_the_lags_with_a_gap_where_nothing_is_committed():
    """An unknown lag is no lag of 0: the line begins where the group has committed."""
    axes = charts.lag(lags())
    first, second = line(axes, "partition 0"), line(axes, "partition 1")
    assert first["x"].tolist() == list(range(11))
    assert first["y"].tolist() == [10 * second for second in range(11)]
    assert second["y"].isna().tolist() == [True] * 3 + [False] * 8
    assert second["y"].tolist()[3:] == [35, 30, 25, 20, 15, 10, 5, 0]
    assert axes.get_ylabel() == "lag (records)"
    assert axes.get_xlabel() == "seconds since 17:27:21.000 UTC on 24 November 2026"


def test_the_table_has_a_row_for_each_partition():
    """Literal, for two partitions of eleven samples."""
    table = charts.describe(charts.lag(lags())).table
    columns = ["topic", "partition", "samples", "unknown", "first", "least", "most", "last"]
    assert table[columns].to_numpy().tolist() == [
        ["orders", 0, 11, 0, 0, 0, 100, 100],
        ["orders", 1, 11, 3, 35, 0, 35, 0],
    ]
    assert list(table["most_at"]) == list(at([10, 3]))


def test_the_words_for_known_data():
    """Literal, so that they are read when they change."""
    assert charts.describe(charts.lag(lags())) == (
        "Lag grew to 100 records on partition 0. 2 partitions over 10 s. "
        "Partition 0: 0 at first, at most 100 (at 10 s), 100 at last. "
        "Partition 1: 35 at first, at most 35 (at 3 s), 0 at last. "
        "Nothing was committed in 3 of 11 samples."
    )


@pytest.mark.parametrize(
    ("values", "heading"),
    [
        ([0, 0, 0], "No lag: what was written had been read at each look"),
        ([0, 50, 0], "Lag reached 50 records on partition 0 and was worked off"),
        ([0, 50, 20], "Lag reached 50 records on partition 0; 20 in all remain"),
        ([0, 20, 50], "Lag grew to 50 records on partition 0"),
        ([1], "A lag of 1 record on partition 0"),
        ([None, None], "Nothing is committed yet, so no lag is known"),
    ],
)
def test_the_title_is_the_finding(values, heading):
    """Grown, worked off, left over, or not known at all."""
    frame = pd.DataFrame({"time": at(range(len(values))), "lag": values})
    axes = charts.lag(frame.assign(topic="orders", partition=0))
    assert axes.get_title(loc="left") == heading


def test_a_lag_below_zero_is_drawn_marked_and_explained():
    """Committed records were lost with a leader: observe.lag tells of it, the chart shows it."""
    frame = pd.DataFrame({"time": at(range(4)), "lag": pd.array([20, -30, -50, 0], dtype="Int64")})
    axes = charts.lag(frame.assign(topic="orders", partition=0))
    assert line(axes, "partition 0")["y"].tolist() == [20, -30, -50, 0]
    low, high = axes.get_ylim()
    assert low < -50
    assert high > 20
    (band,) = [patch for patch in axes.patches if patch.get_label() == "_below"]
    assert band.get_hatch()
    assert (band.get_y(), band.get_y() + band.get_height()) == (low, 0)
    said = charts.describe(axes)
    assert said == (
        "Partition 0 was committed 50 records beyond the end of the log. 1 partition over 3 s. "
        "Partition 0: 20 at first, at most 20 (at 0 s), at least -50, 0 at last. "
        "A lag below zero is of offsets that are not in the log: its end was lost with a leader, "
        "the topic was made anew, or somebody committed them by hand."
    )
    assert said.table[["first", "least", "most", "last"]].to_numpy().tolist() == [[20, -50, 20, 0]]


def test_of_many_partitions_one_that_is_below_zero_is_named():
    """It is what one has to see, though six others lag."""
    frame = pd.concat(
        pd.DataFrame({"time": at([0, 1]), "partition": p, "lag": [p, 10 * p]}) for p in range(1, 9)
    )
    frame.loc[frame["partition"] == 1, "lag"] = [0, -90]
    axes = charts.lag(frame.assign(topic="orders"))
    assert line(axes, "partition 1")["y"].tolist() == [0, -90]
    assert axes.get_ylim()[0] < -90


def test_several_groups_and_topics_have_names_that_tell_them_apart():
    """Kafka writes a partition of a topic as orders-0."""
    one = lags().assign(group_id="billing")
    groups = pd.concat([one, one.assign(group_id="shipping")])
    labels = [drawn.get_label() for drawn in charts.lag(groups).lines]
    assert {"billing partition 0", "shipping partition 1"} < set(labels)
    topics = pd.concat([lags(), lags().assign(topic="payments")])
    assert "payments-1" in [drawn.get_label() for drawn in charts.lag(topics).lines]


def test_a_lone_sample_between_two_gaps_is_seen():
    """A line would go through it without drawing it."""
    frame = pd.DataFrame({"time": at(range(101)), "topic": "orders", "partition": 0})
    frame["lag"] = [7.0 if second == 50 else None for second in range(101)]
    (drawn,) = [each for each in charts.lag(frame).lines if each.get_label() == "partition 0"]
    assert [drawn.get_ydata()[place] for place in drawn.get_markevery()] == [7]


def test_of_many_partitions_the_worst_have_names_and_the_others_a_band():
    """Fifty lines would be a thicket; the band is as high and as low as they are."""
    seconds, count = np.arange(100), 50
    frame = pd.concat(
        pd.DataFrame({"time": at(seconds), "partition": p, "lag": p * seconds})
        for p in range(count)
    ).assign(topic="orders")
    axes = charts.lag(frame)
    named = [drawn.get_label() for drawn in axes.lines if drawn.get_label() != "_key"]
    assert sorted(named) == [f"partition {p}" for p in range(count - NAMED, count)]
    (band,) = axes.collections
    assert band.get_label() == f"{count - NAMED} others"
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == 0
    assert heights.max() == (count - NAMED - 1) * 99
    assert len(charts.describe(axes).table) == count


def test_of_a_hundred_thousand_samples_the_worst_is_kept():
    """A mean would hide the one sample that somebody should see; so would every 50th."""
    rows = 100_000
    frame = pd.DataFrame({"time": at(np.arange(rows)), "topic": "orders", "partition": 0})
    frame["lag"] = np.arange(rows) % 100
    frame.loc[54_321, "lag"] = 9_999
    frame["committed"] = ~frame.index.isin([70_000])
    axes = charts.lag(frame)
    shown = line(axes, "partition 0")
    assert points(axes) <= 2_000
    assert shown["y"].max() == 9_999
    assert shown["x"][shown["y"].idxmax()] == pytest.approx(54_321 / 3600)  # hours by then
    assert shown["y"].isna().sum() == 1
    assert (shown["y"].iloc[0], shown["y"].iloc[-1]) == (0, (rows - 1) % 100)
    assert charts.describe(axes).table["most"].tolist() == [9_999]
