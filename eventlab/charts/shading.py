"""Faults on a time axis: shaded from start to end, named over the chart, told in its words.

A faults frame has the columns `start`, `end` (NaT while the fault is on), `fault` and `target`,
and perhaps `nodes`, the ids of the nodes it hit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from eventlab.charts import frames, words
from eventlab.charts.chart import Chart
from eventlab.charts.clock import Clock
from eventlab.charts.look import FAULT, SMALL
from eventlab.errors import InvalidSetting

COLUMNS = ("start", "end", "fault", "target")
MOST = 50  # shaded; the words count the rest
ROWS = 4  # of names over the chart
STEP = 12.0  # points from row to row
GAP = 6.0  # points from name to name


@dataclass(frozen=True, slots=True)
class Fault:
    """What was broken from when to when; `end` is None while it is broken."""

    start: int
    end: int | None
    what: str
    target: str
    nodes: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """What was done to whom."""
        return f"{self.what}, {self.target}"


def read(faults: pd.DataFrame | None, chart: str) -> list[Fault]:
    """Return the faults of a frame in the order of their starts."""
    if faults is None:
        return []
    frames.check(faults, chart, *COLUMNS, what="faults frame")
    if faults.empty:
        return []
    starts = frames.times(faults, "start")
    known = faults["end"].notna().to_numpy()
    ends = iter(frames.times(faults[known], "end") if known.any() else ())
    names = [(words.name(fault), words.name(t)) for fault, t in _pairs(faults, "fault", "target")]
    nodes = faults["nodes"] if "nodes" in faults.columns else [()] * len(faults)
    found = [
        Fault(int(start), int(next(ends)) if ended else None, what, who, tuple(hit))
        for start, ended, (what, who), hit in zip(starts, known, names, nodes, strict=True)
    ]
    for fault in found:
        _check_order(fault)
    return sorted(found, key=lambda fault: fault.start)


def _pairs(frame: pd.DataFrame, *names: str) -> Any:
    return zip(*(frame[name] for name in names), strict=True)


def _check_order(fault: Fault) -> None:
    if fault.end is not None and fault.end < fault.start:
        raise InvalidSetting(
            "A fault cannot end before it starts.",
            f"The fault {fault.label} ends {(fault.start - fault.end) / 1e9:g} s before its start.",
            "Exchange the columns start and end, or leave end out (NaT) while the fault is on.",
        )


def clock(first: int, last: int, faults: Sequence[Fault]) -> Clock:
    """Return the time axis of data from first to last, with the faults that lie close to it.

    One that was mended before the data begin belongs to some other picture.
    """
    around = last - first
    later = [f for f in faults if f.end is None or f.end >= first]
    moments = [m for f in later for m in (f.start, f.end) if m is not None]
    near = [m for m in moments if first - around <= m <= last + around]
    return Clock(min([first, *near]), max([last, *near]))


def shade(axes: Chart, clock: Clock, faults: Sequence[Fault]) -> float:
    """Shade the faults on a chart, name them over it; return the room for that, in points."""
    seen = [fault for fault in faults if _is_seen(fault, clock)][:MOST]
    starts = [float(clock(max(fault.start, clock.start))) for fault in seen]
    for start, fault in zip(starts, seen, strict=True):
        last = clock.end if fault.end is None else min(fault.end, clock.end)
        band = axes.axvspan(start, float(clock(last)), facecolor=FAULT, alpha=0.13, linewidth=0)
        band.set(zorder=0.4, gid=f"fault: {fault.label}")
        if fault.start >= clock.start:
            axes.axvline(start, color=FAULT, linewidth=1, linestyle=(0, (4, 2)), zorder=0.5)
    return 10 + STEP * _name(axes, starts, seen)


def _is_seen(fault: Fault, clock: Clock) -> bool:
    return fault.start <= clock.end and (fault.end is None or fault.end >= clock.start)


def _name(axes: Chart, starts: Sequence[float], faults: Sequence[Fault]) -> int:
    """Write each name over the start of its fault, in the lowest row that is free there.

    Where there is no room for what was done to whom, what was done has to do.
    """
    (first, last), wide = axes.get_xlim(), _width(axes) if faults else 0.0
    taken, used = [-GAP] * ROWS, 0
    for start, fault in zip(starts, faults, strict=True):
        x = (start - first) / (last - first) * wide
        for text in (f"{fault.what}, {fault.target.split(',')[0]}", fault.what):
            name, side, begin, end = _placed(x, text, wide)
            row = next((row for row, until in enumerate(taken) if until + GAP <= begin), None)
            if row is not None and "▾" in name:
                break
        if row is None:
            continue  # it is shaded, and the words tell of it
        taken[row], used = end, max(used, row + 1)
        axes.annotate(
            name,
            (min(x, wide) / wide if "▾" in name else 0.0, 1),
            (3 if side == "left" else -3, 3 + STEP * row),
            xycoords="axes fraction",
            textcoords="offset points",
            ha=side,
            color=FAULT,
            fontsize=SMALL,
            parse_math=False,
        )
    return used


def _placed(x: float, text: str, wide: float) -> tuple[str, str, float, float]:
    """Return a name, its side, and where it begins and ends, in points from the left."""
    for name, side in ((f"▾ {text}", "left"), (f"{text} ▾", "right")):
        length = _length(name) + 3
        if side == "left" and x + length <= wide:
            return name, side, x, x + length
        if side == "right" and x >= length:
            return name, side, x - length, x
    return text, "left", 0.0, _length(text) + 3  # too long for either side


def _width(axes: Chart) -> float:
    """Return how many points wide a chart is beside all that is written at its sides."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
    return float(axes.bbox.width) * 72 / figure.dpi


def _length(text: str) -> float:
    """Return how many points long a name is."""
    font = FontProperties(size=SMALL)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def told(clock: Clock, faults: Sequence[Fault]) -> str:
    """Return the faults as sentences."""
    seen = [fault for fault in faults if _is_seen(fault, clock)]
    text = f"Faults: {words.listed([_one(clock, f) for f in seen], 5)}." if seen else ""
    if len(seen) == len(faults):
        return text
    hidden = words.count(len(faults) - len(seen), "fault")
    return f"{text} Outside the time shown: {hidden}.".strip()


def _one(clock: Clock, fault: Fault) -> str:
    if fault.end is None:
        return f"{fault.label} (from {clock.at(fault.start)} on)"
    if fault.end == fault.start:
        return f"{fault.label} (at {clock.at(fault.start)})"
    return f"{fault.label} ({clock.at(fault.start)} to {clock.at(fault.end)})"
