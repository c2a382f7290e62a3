"""Fewer points, honestly: each pixel column keeps its least, its most and its gaps.

A mean would hide the one slow record in a million that the learner came to see.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from eventlab.charts.groups import Array

MOST = 2000  # points of one chart
PIXELS = 500  # columns of the part of a chart that has data


def columns(lines: int = 1, kept: int = 2) -> int:
    """Return how many columns so many lines may have that keep so many points of each column."""
    return max(8, min(PIXELS, MOST // (kept * max(1, lines))))


def extremes(x: Array, y: Array, most: int) -> Array:
    """Return the places of the first and last point, and of the extremes of each column.

    `x` rises. NaN in `y` is a gap; of the gaps of a column the first is kept.
    """
    if len(x) <= 2 * most:
        return np.arange(len(x))
    edges = np.linspace(x[0], x[-1], most + 1)[1:-1]
    bounds = [0, *np.searchsorted(x, edges), len(x)]
    kept = [0, len(x) - 1]
    for start, end in pairwise(bounds):
        kept += [start + place for place in _extremes(y[start:end])]
    return np.unique(np.array(kept, dtype="int64"))


def _extremes(values: Array) -> list[int]:
    gaps = np.flatnonzero(np.isnan(values))
    if not len(values) or len(gaps) == len(values):
        return [int(gaps[0])] if len(gaps) else []
    return [int(np.nanargmin(values)), int(np.nanargmax(values)), *map(int, gaps[:1])]


def band(x: Array, y: Array, most: int) -> tuple[Array, Array, Array]:
    """Return the middle of each column and the least and most of all lines in it; NaN for none."""
    edges = np.unique(np.linspace(x[0], x[-1], most + 1))
    starts = np.unique(np.searchsorted(x, edges[:-1] if len(edges) > 1 else edges))
    middle = (x[starts] + np.append(x[starts[1:] - 1], x[-1])) / 2
    return middle, np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)
