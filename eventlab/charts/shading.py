"""Faults on a time axis: shaded from start to end, named over the chart, told in its words.

A faults frame has the columns `start`, `end` (NaT while the fault is on), `fault` and `target`,
and perhaps `nodes`, the ids of the nodes it hit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from eventlab.charts import frames, words
from eventlab.charts.chart import Chart
from eventlab.charts.clock import Clock
from eventlab.charts.look import FAULT, SMALL
from eventlab.errors import InvalidSetting

COLUMNS = ("start", "end", "fault", "target")
MOST = 50  # shaded; the words count the rest
ROWS = 3  # of names over the chart
STEP = 12.0  # points from row to row
LETTER = 0.0165  # of the width of the chart, at most


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
    """Write each name over the start of its fault, in the lowest row that is free there."""
    first, last = axes.get_xlim()
    taken, used = [-1.0] * ROWS, 0
    for start, fault in zip(starts, faults, strict=True):
        text, side, place, begin, width = _placed((start - first) / (last - first), fault)
        row = next((row for row, until in enumerate(taken) if until <= begin), None)
        if row is None:
            continue
        taken[row], used = begin + width, max(used, row + 1)
        axes.annotate(
            text,
            (place, 1),
            (3 if side == "right" else -3, 3 + STEP * row),
            xycoords="axes fraction",
            textcoords="offset points",
            ha=side,
            color=FAULT,
            fontsize=SMALL,
            parse_math=False,
        )
    return used


def _placed(start: float, fault: Fault) -> tuple[str, str, float, float, float]:
    """Return a name, its side and place, and where it begins and how wide it is, of the chart."""
    label = f"{fault.what}, {fault.target.split(',')[0]}"
    width = (len(label) + 3) * LETTER
    if start + width <= 1:
        return f"▾ {label}", "left", start, start, width
    if start - width >= 0:
        return f"{label} ▾", "right", start, start - width, width
    return label, "left", 0.0, 0.0, width  # too long for either side


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
