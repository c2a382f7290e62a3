"""Lines over time, each with its name at its end: read faster than a legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from eventlab.charts import thin
from eventlab.charts.chart import Chart
from eventlab.charts.clock import Clock
from eventlab.charts.groups import Array
from eventlab.charts.look import INK, SMALL

MARKED = 30  # points of a line, up to which each is marked
APART = 0.075  # of the height of the chart, from name to name

End = tuple[str, float, dict[str, Any]]  # name, value at the end, look


def draw(
    axes: Chart, clock: Clock, x: Array, y: Array, look: dict[str, Any], columns: int
) -> float:
    """Draw a line through what `thin` leaves of it; return its last value, 0 where it has none."""
    kept = thin.extremes(x, y, columns)
    values = y[kept]
    marked = None if len(kept) <= MARKED else list(np.flatnonzero(_alone(values)))
    axes.plot(clock(x[kept]), values, markevery=marked, **look)
    known = y[~np.isnan(y)]
    return float(known[-1]) if len(known) else 0.0


def stairs(
    axes: Chart, edges: Array, values: Array, label: str, look: dict[str, Any], filled: bool = False
) -> None:
    """Draw one level for each interval, with a gap where it is NaN."""
    style = {"linestyle": look["linestyle"], "linewidth": look["linewidth"]}
    if filled:
        axes.stairs(values, edges, fill=True, facecolor=look["color"], alpha=0.2, label="_fill")
    axes.stairs(values, edges, baseline=None, edgecolor=look["color"], label=label, **style)


def _alone(values: Array) -> Array:
    """Say which values have a gap on both sides: a line alone would not show them."""
    gaps: Array = np.concatenate([[True], np.isnan(values), [True]])
    return ~gaps[1:-1] & gaps[:-2] & gaps[2:]


def count_upwards(axes: Chart, most: float, label: str, least: float = 0.0) -> None:
    """Give a chart a vertical axis of counts from 0, or less, to a little more than the most."""
    room = 0.08 * max(1.0, most - least)
    axes.set_ylim(least - room if least < 0 else 0, max(1.0, most) + room)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel(label, color=INK)


def name(axes: Chart, ends: Sequence[End]) -> None:
    """Write the names at the right of a chart whose limits are set, none on top of another."""
    heights = _heights(axes, [value for _, value, _ in ends])
    order = np.argsort(heights, kind="stable")
    spread = apart([heights[place] for place in order])
    for place, height in zip(order, spread, strict=True):
        text, _, look = ends[place]
        own = {key: look[key] for key in ("color", "linestyle", "marker") if key in look}
        axes.plot(
            [1.012, 1.036, 1.06],
            [height] * 3,
            transform=axes.transAxes,
            clip_on=False,
            markevery=[1],
            markersize=4,
            label="_key",
            **own,
        )
        axes.text(
            1.075,
            height,
            text,
            transform=axes.transAxes,
            va="center",
            color=INK,
            fontsize=SMALL,
            parse_math=False,
        )


def _heights(axes: Chart, values: Sequence[float]) -> list[float]:
    points = np.column_stack([np.ones(len(values)), np.asarray(values, float)])
    scaled = axes.transLimits.transform(axes.transScale.transform(points))
    return [float(height) for height in np.clip(scaled[:, 1], 0, 1)]


def apart(heights: Sequence[float], least: float = APART) -> list[float]:
    """Return rising heights, moved as little as it takes for them to lie so far apart."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + least if placed else 0.0))
    top = 1.0
    for place in reversed(range(len(placed))):
        placed[place] = min(placed[place], top)
        top = placed[place] - least
    return placed
