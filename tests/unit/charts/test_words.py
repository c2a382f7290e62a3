"""Numbers, times and names as sentences and axes have them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlab.charts import lines, thin, words
from eventlab.charts.clock import Clock


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (0.00004, "0.04 ms"),
        (0.0021, "2.1 ms"),
        (0.42, "420 ms"),
        (3.14159, "3.14 s"),
        (119, "119 s"),
        (150, "2.5 min"),
        (9_000, "2.5 h"),
        (216_000, "2.5 days"),
    ],
)
def test_a_span_of_time_has_the_unit_it_is_read_in(seconds, told):
    assert words.lasting(seconds) == told


@pytest.mark.parametrize(
    ("seconds", "told", "label"),
    [(10, "5 s", "seconds since"), (600, "5 min", "minutes since"), (36_000, "5 h", "hours since")],
)
def test_a_moment_has_the_unit_of_the_axis(seconds, told, label):
    """So that it can be found there."""
    from eventlab.charts.chart import blank

    clock = Clock(0, seconds * 10**9)
    axes = blank()
    clock.draw(axes)
    assert clock.at(seconds * 10**9 // 2) == told
    assert axes.get_xlabel().startswith(label)
    assert axes.get_xlim()[1] == float(clock(seconds * 10**9))


@pytest.mark.parametrize(
    ("things", "told"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        ([*"abcdefgh"], "a, b, c, d, e and 3 more"),
    ],
)
def test_a_list_is_a_phrase(things, told):
    assert words.listed(things) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (b"C-1", "C-1"),
        (b"\xff\x00", "\\xff\\x00"),
        ("two\nlines", "two lines"),
        ("", "(empty)"),
        ("😀", "\\U0001f600"),
        ("Ünïcödé Ω Ж", "Ünïcödé Ω Ж"),
        ("x" * 99, "x" * 31 + "…"),
        ("\x1b[31mred", "\\x1b[31mred"),
        (7, "7"),
    ],
)
def test_a_name_is_one_line_in_letters_that_the_font_has(value, told):
    """What a learner called a client, or a key, is drawn as it is, or at least told."""
    assert words.name(value) == told


@given(
    st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(np.nan)), min_size=1, max_size=400),
    st.integers(1, 20),
)
def test_of_each_column_the_least_the_most_and_the_gaps_stay(values, most):
    """And the first and the last point, in their order, and no more than four of a column."""
    x, y = np.arange(len(values)), np.array(values)
    kept = thin.extremes(x, y, most)
    assert (np.diff(kept) > 0).all()
    assert len(kept) <= max(2 * most, 3 * most + 2)
    assert {0, len(x) - 1} <= set(kept.tolist())
    if not np.isnan(y).all():
        assert np.nanmin(y[kept]) == np.nanmin(y)
        assert np.nanmax(y[kept]) == np.nanmax(y)
    assert np.isnan(y[kept]).any() == np.isnan(y).any()


@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(0, 100)), min_size=1, max_size=200),
    st.integers(1, 10),
)
def test_a_band_is_as_high_and_as_low_as_what_it_stands_for(table, most):
    table.sort()
    x, y = (np.array(column) for column in zip(*table, strict=True))
    middle, low, high = thin.band(x, y, most)
    assert (low.min(), high.max()) == (y.min(), y.max())
    assert len(middle) <= most
    assert (low <= high).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12).map(sorted))
def test_names_lie_apart_in_their_order_on_the_chart(heights):
    """Twelve are as many as there is room for."""
    placed = lines.apart(heights)
    assert (np.diff(placed) >= lines.APART - 1e-9).all()
    assert placed[-1] <= 1
    assert placed[0] >= -1e-9
