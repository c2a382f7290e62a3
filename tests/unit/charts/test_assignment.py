"""Who owned which partition, and when nobody did."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlab import charts
from eventlab.charts.spans import Spans, from_events
from tests.unit.charts.known import assignments, bars, points, timed

COLUMNS = ("process", "topic", "partition", "owned")


def test_bars_and_table_agree():
    """From when to when, in which lane, in the look of whom."""
    axes = charts.assignment(assignments())
    table = charts.describe(axes).table
    assert bars(axes, "alice") == [(0, 4, 0, 0.6), (6, 10.4, 0, 0.6), (0, 4, 1, 0.6)]
    assert bars(axes, "bob") == [(7, 10, 1, 0.6)]
    owned = table.dropna(subset="owner")
    assert owned[["partition", "owner"]].to_numpy().tolist() == [
        [0, "alice"],
        [0, "alice"],
        [1, "alice"],
        [1, "bob"],
    ]
    assert owned["seconds"].tolist() == [4, 4.4, 4, 3]
    assert owned["end"].isna().tolist() == [False, True, False, False]
    free = table[table["owner"].isna()]
    assert free[["partition", "seconds"]].to_numpy().tolist() == [[0, 2], [1, 3]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["partition 0", "partition 1"]


def test_the_words_for_known_data():
    """Literal, so that they are read when they change."""
    assert charts.describe(charts.assignment(assignments())) == (
        "Both partitions stood still for 2 s. 2 partitions and 2 consumers over 10.4 s, "
        "4 assignments. Without an owner: 2 times, the longest 3 s on partition 1, from 4 s on. "
        "Owned at the end: alice 1 and nobody 1."
    )


def test_a_short_stop_of_all_is_not_told_where_one_partition_waited_much_longer():
    """The world stood still for 10 ms; what hurt was one partition without an owner for 2 s."""
    rows = [(0, 1, "orders", 0, True), (0, 1, "orders", 1, True), (4, 1, "orders", 0, False)]
    rows += [(4, 1, "orders", 1, False), (4.01, 1, "orders", 0, True), (6, 2, "orders", 1, True)]
    axes = charts.assignment(timed(rows, *COLUMNS))
    assert axes.get_title(loc="left") == "Partition 1 had no owner for 2 s"


def test_a_gap_says_how_long_it_was():
    """Where there is room for that."""
    written = [text.get_text() for text in charts.assignment(assignments()).texts]
    assert written == ["nobody 2 s", "nobody 3 s"]


def test_two_owners_at_once_are_red_and_come_first():
    """A member that was thought dead still handles what another has been given."""
    rows = [(0, 1, "orders", 0, True), (3, 2, "orders", 0, True), (5, 1, "orders", 0, False)]
    axes = charts.assignment(timed([*rows, (9, 2, "orders", 0, False)], *COLUMNS))
    assert axes.get_title(loc="left") == "Partition 0 had two owners for 2 s"
    assert bars(axes, "two owners") == [(3, 5, 0, 0.8)]
    assert bars(axes, "consumer 1") == [(0, 5, 0, 0.6)]
    assert "With two owners: 1 time, the longest 2 s on partition 0" in charts.describe(axes)


def test_a_move_without_a_gap_is_none():
    """As a cooperative assignor would like it."""
    rows = [(0, 1, "orders", 0, True), (3, 1, "orders", 0, False), (3, 2, "orders", 0, True)]
    said = charts.describe(charts.assignment(timed(rows, *COLUMNS)))
    assert said.startswith("Each partition had one owner all the time. ")
    assert len(said.table) == 2


def test_what_stays_assigned_is_told_again_without_effect():
    """An eager rebalance may give back what was there."""
    rows = [(second, 1, "orders", 0, True) for second in range(5)]
    said = charts.describe(charts.assignment(timed(rows, *COLUMNS)))
    assert said.table["seconds"].tolist() == [4.16]
    stray = timed([(0, 1, "orders", 0, False), (1, 2, "orders", 0, True)], *COLUMNS)
    assert charts.describe(charts.assignment(stray)).table["owner"].tolist() == ["consumer 2"]


def test_clients_of_one_name_are_told_apart_by_their_numbers():
    """kafka-python calls each of them kafka-python-3.0.12."""
    frame = assignments().assign(client="kafka-python-3.0.12")
    owners = charts.describe(charts.assignment(frame)).table["owner"]
    assert set(owners.dropna()) == {"consumer 1", "consumer 2"}


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 20), st.integers(0, 8)), min_size=1, max_size=25
    )
)
def test_how_many_spans_cover_a_moment_is_what_counting_says(table):
    """Moment by moment."""
    lane, starts, lengths = (np.array(column) for column in zip(*table, strict=True))
    spans = Spans(lane, starts, starts + lengths)
    between, depths = spans.covered()
    found = {}
    for number, first, last, depth in zip(
        between.lane, between.starts, between.ends, depths, strict=True
    ):
        found |= {(number, moment): depth for moment in range(first, last)}
    for number in set(lane.tolist()):
        own = spans.at(np.flatnonzero(lane == number))
        for moment in range(int(own.starts.min()), int(own.ends.max())):
            covering = ((own.starts <= moment) & (moment < own.ends)).sum()
            assert found[number, moment] == covering


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=30))
def test_spans_are_what_a_switch_does(events):
    """An event a second, followed one by one."""
    lane, on = (np.array(column) for column in zip(*events, strict=True))
    spans, lasting = from_events(lane, np.arange(len(lane)), on)
    expected, begun = [], {}
    for second, (number, switched) in enumerate(events):
        if switched:
            begun.setdefault(number, second)
        elif number in begun:
            expected.append((number, begun.pop(number), second, False))
    expected += [(number, second, len(events) - 1, True) for number, second in begun.items()]
    found = zip(
        *map(np.ndarray.tolist, (spans.lane, spans.starts, spans.ends, lasting)), strict=True
    )
    assert sorted(found) == sorted(expected)


def test_many_rebalances_are_few_bars_and_the_chart_says_so():
    """The longest of each moment are drawn, the table has them all."""
    count = 20_000
    rows = ((n / 10, n // 2 % 7, "orders", 0, n % 2 == 0) for n in range(count))
    axes = charts.assignment(timed(rows, *COLUMNS))
    assert points(axes) <= 2_200
    assert charts.describe(axes).table["owner"].notna().sum() == count // 2
    assert "of 10,000 spans" in axes.get_legend().get_title().get_text()


def test_a_frame_of_revocations_alone_has_nothing_to_show():
    """The recording began too late."""
    axes = charts.assignment(assignments().assign(owned=False))
    assert charts.describe(axes) == "No partition was assigned."


@pytest.mark.parametrize("count", [1, 60])
def test_one_lane_is_no_wall_and_sixty_fit(count):
    """A bar is a bar, and names do not touch."""
    rows = [(0, 1, "orders", p, True) for p in range(count)]
    axes = charts.assignment(timed([*rows, (9, 1, "orders", 0, False)], *COLUMNS))
    assert 1.5 < axes.figure.get_figheight() <= 9
    assert len(axes.get_yticklabels()) <= 45


def test_the_table_of_a_frame_in_another_unit_of_time_is_the_same():
    """Pandas keeps microseconds by default."""
    frame = assignments()
    other = frame.assign(time=frame["time"].dt.as_unit("us"))
    one, two = (charts.describe(charts.assignment(each)).table for each in (frame, other))
    pd.testing.assert_frame_equal(one, two)
