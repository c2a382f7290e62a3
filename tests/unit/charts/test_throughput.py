"""Records a second over time, and when there were none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from eventlab import charts
from eventlab.errors import InvalidSetting
from tests.unit.charts.known import at, points, records
from tests.unit.refusals import refused


def levels(axes, label="records"):
    (found,) = [patch for patch in axes.patches if patch.get_label() == label]
    return found.get_data()


def test_levels_and_table_agree_and_nobody_is_lost():
    """Ten intervals of 1.2 seconds; the four seconds without a record are there as zeros."""
    axes = charts.throughput(records())
    table = charts.describe(axes).table
    values, edges, _ = levels(axes)
    assert values.tolist() == table["per_second"].tolist()
    assert edges[0] == 0
    assert edges[-1] == pytest.approx(11.975)
    assert table["records"].tolist() == [12, 12, 12, 4, 0, 0, 16, 48, 48, 48]
    assert table["seconds"].sum() == pytest.approx(11.975)
    assert (table["per_second"] * table["seconds"]).round(6).tolist() == table["records"].tolist()


def test_the_words_for_known_data():
    """Literal, so that they are read when they change; the gap in service is in the title."""
    assert charts.describe(charts.throughput(records())) == (
        "200 records in 12 s, 16.7 per second; none for 4.1 s. "
        "In intervals of 1.2 s from 0 to 40.1 per second, most at 8.38 s. "
        "The longest time without a record was 4.1 s, from 3.9 s on."
    )


def test_a_pause_is_written_where_it_is():
    """In the middle of it."""
    (text,) = charts.throughput(records()).texts
    assert text.get_text() == "none for\n4.1 s"
    assert text.get_position()[0] == pytest.approx(3.9 + 4.1 / 2)


def test_groups_have_a_line_each_and_their_records():
    """By partition, each record is in one of them."""
    axes = charts.throughput(records(), by="partition")
    said = charts.describe(axes)
    assert said.table.groupby("group")["records"].sum().to_dict() == {
        "partition 0": 100,
        "partition 1": 100,
    }
    assert "By partition: partition 0 has 100 and partition 1 has 100." in said
    for label in ("partition 0", "partition 1"):
        rows = said.table[said.table["group"] == label]
        assert levels(axes, label)[0].tolist() == rows["per_second"].tolist()


def test_rows_of_groups_may_come_in_any_order():
    """A frame made of one part after the other is not in the order of time."""
    frame = records().sort_values(["partition", "time"], ascending=False)
    one = charts.describe(charts.throughput(records(), by="partition")).table
    other = charts.describe(charts.throughput(frame, by="partition")).table
    pd.testing.assert_frame_equal(one, other)


def test_of_many_groups_the_largest_have_a_line_and_the_rest_share_one():
    """Nothing is left out of the sum."""
    frame = pd.DataFrame({"time": at(np.arange(1000) / 10), "client": "many"})
    frame.loc[::2, "client"] = [f"c{n:03}" for n in range(500)]
    table = charts.describe(charts.throughput(frame, by="client")).table
    assert table["records"].sum() == 1000
    assert table["group"].unique().tolist()[-1] == "496 others together"
    assert "many" in set(table["group"])


def test_one_moment_has_no_rate():
    """A thousand records a second, or a million? Nobody knows."""
    frame = pd.DataFrame({"time": at([5, 5, 5])})
    axes = charts.throughput(frame)
    assert axes.get_title(loc="left") == "3 records at one moment: no rate to tell"
    assert charts.describe(axes).table["per_second"].isna().all()
    assert axes.get_xlabel() == "at 17:27:26.000 UTC on 24 November 2026"


def test_a_hundred_thousand_records_are_few_points():
    """And each of them is counted."""
    axes = charts.throughput(pd.DataFrame({"time": at(np.arange(100_000) / 1000)}))
    assert points(axes) < 1_000
    assert charts.describe(axes).table["records"].sum() == 100_000


@pytest.mark.parametrize("by", [3, ["partition"], "nonsense"])
def test_a_group_that_is_no_column_is_refused(by):
    """With the columns that are there."""
    with refused(InvalidSetting, by):
        charts.throughput(records(), by=by)
