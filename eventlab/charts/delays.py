"""Latency: how long things took, as percentiles over time; a mean would hide the slow ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from eventlab.charts import frames, lines, look, shading, words
from eventlab.charts.chart import Chart, blank, entitle, nothing, say
from eventlab.charts.clock import Clock
from eventlab.charts.groups import Array
from eventlab.charts.rates import cut

NEEDED = ("time", "seconds")
SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "slowest": 1.0}
NAMES = {"p50": "50 % within", "p95": "95 % within", "p99": "99 % within"}
INTERVALS = 100
EACH = 100  # records that an interval has at least, on average: one of them is above 99 %
FEW = 20  # records up to which a percentile says no more than the dots
DOTTED = 1000  # records up to which each is drawn
WIDE = 30  # times the least of the percentiles, from which on the axis is logarithmic


def latency(frame: pd.DataFrame, *, faults: pd.DataFrame | None = None) -> Axes:
    """Draw within how many seconds 50, 95 and 99 of 100 records were done, over time.

    Columns: `time` (when it began) and `seconds` (how long it took; NaN is unknown and left out);
    a row is a record. A percentile is the least value that so many do not exceed, as it was seen.
    Up to 1,000 records are dots, of more the slowest of each interval is; the table has a row for
    each interval: start, records, p50, p95, p99, slowest.
    InvalidSetting for a frame without these columns or with seconds below 0.
    """
    frames.check(frame, "latency", *NEEDED)
    known = shading.read(faults, "latency")
    if frame.empty:
        return nothing("There is no latency to show", frame[list(NEEDED)])
    times, seconds = frames.times(frame), frames.numbers(frame, "seconds")
    measured = ~np.isnan(seconds)
    if not measured.any():
        return nothing("No latency is known", frame[list(NEEDED)])
    times, seconds = times[measured], seconds[measured]
    order = frames.in_time(times)
    if order is not None:
        times, seconds = times[order], seconds[order]
    return _chart(times, seconds, len(frame) - len(times), known)


def _chart(times: Array, seconds: Array, unknown: int, known: Sequence[shading.Fault]) -> Chart:
    clock = shading.clock(int(times[0]), int(times[-1]), known)
    edges = cut(times, min(INTERVALS, max(1, len(times) // EACH)))
    table = _table(times, seconds, edges)
    whole = percentiles(seconds)
    axes = blank()
    clock.draw(axes)
    _scale(axes, seconds, table)
    _draw(axes, clock, times, seconds, edges, table)
    heading = _heading(len(times), whole)
    entitle(axes, heading, shading.shade(axes, clock, known))
    said = _in_words(clock, table, whole, unknown)
    return say(axes, table, f"{heading}.", said, shading.told(clock, known))


def percentiles(seconds: Array) -> dict[str, float]:
    """Return for each share the least of the values that this share of them does not exceed."""
    if not len(seconds):
        return dict.fromkeys(SHARES, np.nan)
    ranks = [max(0, int(np.ceil(share * len(seconds) - 1e-9)) - 1) for share in SHARES.values()]
    ordered = np.sort(seconds)
    return dict(zip(SHARES, (float(ordered[rank]) for rank in ranks), strict=True))


def _table(times: Array, seconds: Array, edges: Array) -> pd.DataFrame:
    parts = np.split(seconds, np.searchsorted(times, edges[1:-1]))
    table = pd.DataFrame([{"records": len(part), **percentiles(part)} for part in parts])
    table.insert(0, "start", frames.moments(edges[:-1]))
    return table


def _scale(axes: Chart, seconds: Array, table: pd.DataFrame) -> None:
    """Give the chart an axis of times, logarithmic where the slowest would hide all others."""
    most, half = float(seconds.max()), float(table["p50"].median())
    label = "time taken"
    if half and most > WIDE * half:
        label = "time taken (log scale)"
        positive = seconds[seconds > 0]
        least = positive.min() if len(seconds) <= DOTTED else table["p50"].min()
        axes.set_yscale("log", nonpositive="clip")
        axes.set_ylim(max(float(least), half / 100) / 2, most * 1.6)
        axes.yaxis.set_major_locator(LogLocator(10))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(0, (most or 1.0) * 1.08)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set_ylabel(label, color=look.INK)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words.lasting(value)))


def _draw(
    axes: Chart, clock: Clock, times: Array, seconds: Array, edges: Array, table: pd.DataFrame
) -> None:
    if len(times) <= DOTTED:
        style = _dots("each record", 5 if len(times) <= FEW else 2.5)
        axes.plot(clock(times), seconds, **style)
    else:
        style = _dots("slowest", 3.5)
        axes.plot(clock((edges[1:] + edges[:-1]) / 2), table["slowest"], **style)
    ends: list[lines.End] = [(style["label"], float(table["slowest"].iloc[-1]), style)]
    if len(times) > FEW and edges[0] < edges[-1]:
        for turn, (name, label) in enumerate(NAMES.items()):
            line: dict[str, Any] = look.line(turn) | {"marker": ""}
            values = table[name].to_numpy(dtype=float)
            lines.stairs(axes, clock(edges), values, label, line)
            ends.append((label, float(values[-1]), line))
    lines.name(axes, ends)


def _dots(label: str, size: float) -> dict[str, Any]:
    return {
        "label": label,
        "color": look.QUIET,
        "marker": "o",
        "markersize": size,
        "markeredgewidth": 0,
        "linestyle": "",
        "zorder": 1.5,
    }


def _heading(records: int, whole: dict[str, float]) -> str:
    if records == 1:
        return f"1 record took {words.lasting(whole['slowest'])}"
    half, most = words.lasting(whole["p50"]), words.lasting(whole["p99"])
    return f"Half of {words.count(records, 'record')} took at most {half}, 99 of 100 at most {most}"


def _in_words(clock: Clock, table: pd.DataFrame, whole: dict[str, float], unknown: int) -> str:
    worst = table.iloc[int(table["p99"].fillna(-1).to_numpy().argmax())]
    told = (
        f"95 of 100 took at most {words.lasting(whole['p95'])}, the slowest "
        f"{words.lasting(whole['slowest'])}."
    )
    if len(table) > 1:
        told += (
            f" Over {words.count(len(table), 'interval')}, 99 of 100 took the longest, "
            f"{words.lasting(worst['p99'])}, in the one from {clock.at(worst['start'].value)} on."
        )
    left = f" {words.count(unknown, 'record')} without a known time left out."
    return told + (left if unknown else "")
