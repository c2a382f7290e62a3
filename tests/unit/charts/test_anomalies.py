"""Where in the log of each partition a judge found something."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eventlab import charts
from tests.unit.charts.known import judged, points


def bars(axes, label):
    """Return (first offset, width, middle) of each bar of this name."""
    boxes = [
        path.get_extents()
        for drawn in axes.collections
        if drawn.get_label() == label
        for path in drawn.get_paths()
    ]
    return [(box.x0, box.width, round((box.y0 + box.y1) / 2, 2)) for box in boxes]


def test_chart_table_and_words_agree():
    """Five lost at offsets 10 to 14 below the log of partition 0, a duplicate in that of 1."""
    axes = charts.anomalies(judged())
    assert bars(axes, "the log") == [(0, 10, 0), (0, 6, 1)]
    assert bars(axes, "lost") == [(10, 5, 0.38)]
    assert bars(axes, "duplicate") == [(3, 1, 1)]
    said = charts.describe(axes)
    assert said.table.to_numpy().tolist() == [
        ["orders", 0, "lost", 5, 10, 14],
        ["orders", 0, "none", 10, 0, 9],
        ["orders", 1, "duplicate", 1, 3, 3],
        ["orders", 1, "none", 5, 0, 5],
    ]
    assert said == (
        "5 lost and 1 duplicate of 21 records."
        " There are 5 lost in partition 0, from offset 10 to 14 and 1 duplicate in partition 1,"
        " at offset 3."
        " 5 records were acknowledged and are not in the log: drawn below it."
    )


def test_nothing_wrong_is_said_and_drawn():
    """The picture of a valid history: the log alone."""
    frame = judged().assign(anomaly=None, in_log=True)
    axes = charts.anomalies(frame)
    assert charts.describe(axes) == "Nothing is wrong with 21 records."
    assert {drawn.get_label() for drawn in axes.collections} >= {"the log"}
    assert not bars(axes, "lost")


def test_one_record_of_a_million_is_seen():
    """It has a column of the picture to itself, and few things are drawn."""
    frame = pd.DataFrame({"topic": "orders", "partition": 0, "offset": np.arange(1_000_000)})
    frame = frame.assign(anomaly=None, in_log=True)
    frame.loc[654_321, "anomaly"] = "reordered"
    axes = charts.anomalies(frame)
    ((start, width, _),) = bars(axes, "reordered")
    assert start <= 654_321 < start + width
    assert 1_000 <= width <= 3_000
    assert points(axes) < 100
    assert "1 reordered of 1,000,000 records." in charts.describe(axes)
