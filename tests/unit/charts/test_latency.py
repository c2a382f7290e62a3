"""Percentiles over time, as values that were seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlab import charts
from eventlab.charts.delays import SHARES, percentiles
from tests.unit.charts.known import at, latencies, line, points


def test_levels_dots_and_table_agree():
    """Of 1 to 100 ms, 50 of 100 took at most 50 ms, and so on; never a mean."""
    axes = charts.latency(latencies())
    table = charts.describe(axes).table
    assert (
        table[["p50", "p95", "p99", "slowest"]].to_numpy().tolist()
        == [[0.05, 0.095, 0.099, 0.1]] * 10
    )
    for label, column in (("50 % within", "p50"), ("95 % within", "p95"), ("99 % within", "p99")):
        (level,) = [patch for patch in axes.patches if patch.get_label() == label]
        assert level.get_data().values.tolist() == table[column].tolist()
    assert line(axes, "each record")["y"].tolist() == latencies()["seconds"].tolist()


def test_the_words_for_known_data():
    """Literal, so that they are read when they change."""
    assert charts.describe(charts.latency(latencies())) == (
        "Half of 1,000 records took at most 50 ms, 99 of 100 at most 99 ms. "
        "95 of 100 took at most 95 ms, the slowest 100 ms. "
        "Over 10 intervals, 99 of 100 took the longest, 99 ms, in the one from 0 s on."
    )


@given(st.lists(st.floats(0, 100), min_size=1, max_size=300))
def test_a_percentile_is_a_value_that_was_seen(values):
    """The least one that so many do not exceed, which NumPy calls the inverted CDF."""
    found = percentiles(np.array(values))
    for name, share in SHARES.items():
        assert found[name] == np.quantile(values, share, method="inverted_cdf")


def test_one_slow_record_among_a_hundred_thousand_is_seen_and_said():
    """The axis is logarithmic then, or the others would be a line on its bottom."""
    frame = pd.DataFrame({"time": at(np.arange(100_000) / 1000), "seconds": 0.002})
    frame.loc[77_777, "seconds"] = 9.0
    axes = charts.latency(frame)
    assert points(axes) < 1_000
    assert line(axes, "slowest")["y"].max() == 9.0
    assert axes.get_yscale() == "log"
    assert "the slowest 9 s." in charts.describe(axes)
    low, high = axes.get_ylim()
    assert low < 0.002
    assert high > 9.0


def test_an_interval_without_a_record_has_no_percentile():
    """A line across an outage would say that all was well."""
    seconds = [*np.arange(0, 10, 0.02), *np.arange(20, 30, 0.02)]
    axes = charts.latency(pd.DataFrame({"time": at(seconds), "seconds": 0.01}))
    table = charts.describe(axes).table
    assert table["records"].tolist() == [150, 150, 150, 50, 0, 0, 50, 150, 150, 150]
    assert table["p99"].isna().tolist() == (table["records"] == 0).tolist()


def test_what_is_not_known_is_left_out_and_counted():
    """A send that was never acknowledged took no time, nor forever."""
    frame = latencies()
    frame.loc[frame.index < 10, "seconds"] = None
    said = charts.describe(charts.latency(frame))
    assert said.endswith("10 records without a known time left out.")
    assert said.table["records"].sum() == 990
    nobody = charts.latency(frame.assign(seconds=None))
    assert charts.describe(nobody) == "No latency is known."


def test_few_records_are_dots():
    """The 99th percentile of seven records is one of them."""
    axes = charts.latency(latencies()[:7])
    assert not axes.patches
    assert len(line(axes, "each record")) == 7


@pytest.mark.parametrize("seconds", [0.0, 1e-7, 1e5])
def test_any_size_of_latency_is_drawn(seconds):
    """From nothing to a day."""
    axes = charts.latency(latencies().assign(seconds=seconds))
    assert axes.get_ylim()[1] > seconds
    assert axes._repr_png_()
