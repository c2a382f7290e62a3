"""What a watch remembers is bounded, tidy, and guesses nothing."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlab.observe import frames
from eventlab.observe.history import MOST_POINTS, Ends, History

PLACE = ("orders", 0)


def at(second: int) -> pd.Timestamp:
    return pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(seconds=second)


def sample(rows: int, start: int = 0) -> pd.DataFrame:
    """Return a sample of partitions."""
    return frames.table(
        "partitions",
        [("orders", n, 1, start, (1, 2), (1,), None, 0, start + n, None) for n in range(rows)],
    )


def test_the_history_is_the_samples_with_the_time_in_front():
    """One row for each sampled row of each sample, with the columns and types of the sample."""
    history = History(sample(0), 1000)
    history.add(at(0), sample(2, 10))
    history.add(at(1), sample(2, 20))
    frame = history.frame()
    assert list(frame.columns) == ["time", *frames.COLUMNS["partitions"]]
    assert list(frame["time"]) == [at(0), at(0), at(1), at(1)]
    assert list(frame["log_end_offset"]) == [10, 11, 20, 21]
    assert list(frame.index) == [0, 1, 2, 3]
    assert frame.drop(columns="time").dtypes.equals(sample(1).dtypes)


def test_what_a_reader_does_to_a_sample_is_not_remembered():
    """The sample is its reader's own: neither a new column nor a changed cell gets in."""
    history, mine = History(sample(0), 1000), sample(2, 10)
    history.add(at(0), mine)
    mine["note"], mine.loc[0, "log_end_offset"] = "mine", 99
    assert list(history.frame().columns) == ["time", *frames.COLUMNS["partitions"]]
    assert list(history.frame()["log_end_offset"]) == [10, 11]


def test_a_history_without_a_sample_has_its_columns_and_types():
    """A chart of nothing has axes."""
    frame = History(frames.table("lag"), 1000).frame()
    assert frame.empty
    assert str(frame["time"].dtype) == "datetime64[ns, UTC]"
    assert frame.drop(columns="time").dtypes.equals(frames.table("lag").dtypes)


@pytest.mark.parametrize(("rows", "most"), [(1, 100), (3, 100), (360, 1000), (50, 10)])
def test_the_oldest_samples_go(rows, most):
    """The newest are there without a gap, whole samples only, and memory is bounded."""
    history = History(sample(0), most)
    for second in range(1000):
        history.add(at(second), sample(rows, second))
    frame = history.frame()
    seconds = frame["leader_epoch"].unique()
    assert list(seconds) == list(range(seconds[0], 1000))
    assert (frame.groupby("leader_epoch").size() == rows).all()
    assert most * 0.5 < len(frame) <= most + max(most / 50, 0) + rows * 2


def test_between_two_points_the_log_grew_evenly():
    """100 records in 10 seconds: half of them were there after 5."""
    ends = Ends()
    ends.add(PLACE, 0, 0.0)
    ends.add(PLACE, 100, 10.0)
    assert ends.behind(PLACE, 50, 12.0) == 7.0
    assert ends.behind(PLACE, 0, 12.0) == 12.0
    assert ends.behind(PLACE, 99, 12.0) == pytest.approx(2.1)


def test_a_pause_is_not_stretched():
    """What came after an hour of nothing is as old as the look that saw it, not as the hour."""
    ends = Ends()
    for second in range(0, 3600, 10):
        ends.add(PLACE, 100, float(second))
    ends.add(PLACE, 110, 3600.0)
    assert ends.behind(PLACE, 100, 3601.0) == 11.0
    assert len(ends._points[PLACE]) == 3


def test_nothing_is_guessed():
    """Before the first look, at the end of the log and of another partition nothing is known."""
    ends = Ends()
    ends.add(PLACE, 100, 0.0)
    ends.add(PLACE, 200, 10.0)
    assert math.isnan(ends.behind(PLACE, 99, 11.0))
    assert math.isnan(ends.behind(PLACE, 200, 11.0))
    assert math.isnan(ends.behind(("orders", 1), 150, 11.0))


def test_a_log_that_lost_its_end_is_known_anew():
    """Records that were lost, and the topic that was made anew, leave no trace in later times."""
    ends = Ends()
    ends.add(PLACE, 100, 0.0)
    ends.add(PLACE, 200, 10.0)
    ends.add(PLACE, 150, 11.0)
    ends.add(PLACE, 250, 21.0)
    assert ends.behind(PLACE, 200, 30.0) == 14.0
    ends.add(PLACE, 0, 31.0)
    assert math.isnan(ends.behind(PLACE, 100, 32.0))


def test_the_points_are_bounded():
    """A watch of a day does not grow."""
    ends = Ends()
    for second in range(5 * MOST_POINTS):
        ends.add(PLACE, second, float(second))
    assert len(ends._points[PLACE]) == MOST_POINTS


@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(0.1, 10)), min_size=2, max_size=40),
    st.integers(0, 500),
)
def test_it_lies_between_the_looks_that_saw_the_record_come(steps, offset):
    """Whatever the log did: the time is one at which the end passed the offset."""
    ends, seen, end, now = Ends(), [], 0, 0.0
    for more, seconds in steps:
        end, now = end + more, now + seconds
        ends.add(PLACE, end, now)
        seen.append((end, now))
    behind = ends.behind(PLACE, offset, now)
    before = [time for end, time in seen if end <= offset]
    after = [time for end, time in seen if end > offset]
    if not before or not after:
        assert math.isnan(behind)
    else:
        assert now - after[0] - 1e-6 <= behind <= now - before[-1] + 1e-6


def test_the_lag_of_many_groups_is_filled_in_where_it_is_known():
    """One partition, three groups: at its end, behind it, and without a commit."""
    rows = [
        ("done", "orders", 0, 100, 100, 0, 0.0, None, None, True),
        ("late", "orders", 0, 50, 100, 50, float("nan"), None, None, True),
        ("new", "orders", 0, None, 100, None, float("nan"), None, None, False),
        ("lost", "orders", 0, 120, 100, -20, float("nan"), None, None, True),
    ]
    ends = Ends()
    ends.add(PLACE, 0, 0.0)
    lag = frames.table("lag", rows)
    ends.fill(lag, 10.0)
    assert list(lag["lag_seconds"].fillna(-1)) == [0.0, 5.0, -1, -1]
    assert lag.dtypes.equals(frames.table("lag").dtypes)
    ends.fill(nothing := frames.table("lag"), 11.0)
    assert nothing.dtypes.equals(frames.table("lag").dtypes)
