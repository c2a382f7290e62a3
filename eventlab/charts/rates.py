"""Throughput: how many records a second there were, and when there were none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from eventlab.charts import frames, groups, lines, look, shading, words
from eventlab.charts.chart import Chart, blank, entitle, nothing, say
from eventlab.charts.clock import Clock
from eventlab.charts.groups import Array
from eventlab.errors import InvalidSetting, shown

NAMED = 5  # groups with a line of their own; a sixth is that of all others
INTERVALS = 100
EACH = 20  # records that an interval has at least, on average
PAUSE = 3  # intervals without a record that make a pause worth a title


def throughput(
    frame: pd.DataFrame, by: str | None = None, *, faults: pd.DataFrame | None = None
) -> Axes:
    """Draw how many records a second there were, over time.

    Columns: `time`, one row a record, and the column `by` where a line each is wanted, as
    "partition" or "client". Time is cut into at most 100 equal intervals, of 20 records or more
    on average; the table has a row for each: start, seconds, records, per_second and perhaps group.
    InvalidSetting for a frame without these columns or with other things in them.
    """
    needed = ("time",) if by is None else ("time", _column(by))
    frames.check(frame, "throughput", *needed)
    known = shading.read(faults, "throughput")
    if frame.empty:
        return nothing("There is no record to show", frame[list(needed)])
    parts = _parts(frame, by)
    times = np.sort(np.concatenate([moments for _, moments in parts]))
    clock = shading.clock(int(times[0]), int(times[-1]), known)
    edges = _edges(times, len(parts))
    table = _table(parts, edges, by)
    axes = blank()
    _draw(axes, clock, edges, table, by)
    heading = _heading(times, edges)
    entitle(axes, heading, shading.shade(axes, clock, known))
    _draw_pause(axes, clock, times, edges)
    said = _in_words(clock, times, table, by)
    return say(axes, table, f"{heading}.", said, shading.told(clock, known))


def _column(by: object) -> str:
    if not isinstance(by, str):
        raise InvalidSetting(
            "charts.throughput groups by the name of one column.",
            f"You gave {shown(by)}.",
            'Name it, as by="partition".',
        )
    return by


def _parts(frame: pd.DataFrame, by: str | None) -> list[tuple[str, Array]]:
    """Return names and sorted times of the groups, the larger ones first, the rest as one."""
    times = frames.times(frame)
    if by is None:
        return [("records", np.sort(times))]
    values, of = frames.grouped(frame, by)
    parts = groups.split(of, len(values))
    order = sorted(range(len(values)), key=lambda place: -len(parts[place]))
    named = order[: NAMED + (len(order) == NAMED + 1)]
    found = [(_name(by, values[place][0]), times[parts[place]]) for place in sorted(named)]
    rest = [times[parts[place]] for place in order[len(named) :]]
    if rest:
        found.append((f"{words.count(len(rest), 'other')} together", np.concatenate(rest)))
    return [(name, np.sort(moments)) for name, moments in found]


def _edges(times: Array, lines: int) -> Array:
    """Return the bounds of equal intervals, in nanoseconds, from first to last record."""
    most = INTERVALS if lines == 1 else INTERVALS // 2  # lines that cross are hard to follow
    return cut(times, max(1, min(most, len(times) // (EACH * lines))))


def cut(times: Array, parts: int) -> Array:
    """Return the bounds of so many equal intervals, in whole nanoseconds."""
    steps = np.linspace(0, times[-1] - times[0], parts + 1).astype("int64")
    return np.asarray(steps + times[0])


def _table(parts: Sequence[tuple[str, Array]], edges: Array, by: str | None) -> pd.DataFrame:
    seconds = np.diff(edges) / 1e9
    rows = []
    for name, times in parts:
        bounds = np.searchsorted(times, edges[1:-1])
        records = np.diff([0, *bounds, len(times)])
        rate = np.divide(records, seconds, out=np.full(len(records), np.nan), where=seconds > 0)
        start = frames.moments(edges[:-1])
        part = pd.DataFrame(
            {"start": start, "seconds": seconds, "records": records, "per_second": rate}
        )
        rows.append(part if by is None else part.assign(group=name))
    return pd.concat(rows, ignore_index=True)


def _draw(axes: Chart, clock: Clock, edges: Array, table: pd.DataFrame, by: str | None) -> None:
    clock.draw(axes)
    flat = edges[0] == edges[-1]
    column, label = ("records", "records") if flat else ("per_second", "records per second")
    lines.count_upwards(axes, float(table[column].max()), label)
    names = ["records"] if by is None else list(table["group"].unique())
    ends: list[lines.End] = []
    for turn, name in enumerate(names):
        rows = table if by is None else table[table["group"] == name]
        style = look.line(turn) if turn < NAMED else look.line(turn) | {"color": look.REST}
        values = rows[column].to_numpy(dtype=float)
        if flat:
            axes.plot(clock(edges[:1]), values, label=name, **style)
        else:
            lines.stairs(axes, clock(edges), values, name, style, filled=by is None)
        ends.append((name, float(values[-1]), style))
    if by is not None:
        lines.name(axes, ends)


def _draw_pause(axes: Chart, clock: Clock, times: Array, edges: Array) -> None:
    begun, lasted = _pause(times)
    if _is_long(lasted, edges):
        axes.text(
            clock(begun + int(lasted * 5e8)),
            0.04,
            f"none for\n{words.lasting(lasted)}",
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            color=look.INK,
            fontsize=look.SMALL,
        )


def _pause(times: Array) -> tuple[int, float]:
    """Return when the longest time without a record began, and its seconds."""
    if len(times) < 2:
        return int(times[0]), 0.0
    gaps = np.diff(times)
    place = int(gaps.argmax())
    return int(times[place]), float(gaps[place]) / 1e9


def _is_long(lasted: float, edges: Array) -> bool:
    return lasted > 0 and lasted >= PAUSE * (edges[1] - edges[0]) / 1e9


def _heading(times: Array, edges: Array) -> str:
    records, span = words.count(len(times), "record"), (times[-1] - times[0]) / 1e9
    if not span:
        return f"{records} at one moment: no rate to tell"
    said = f"{records} in {words.lasting(span)}, {words.short(len(times) / span)} per second"
    lasted = _pause(times)[1]
    return f"{said}; none for {words.lasting(lasted)}" if _is_long(lasted, edges) else said


def _in_words(clock: Clock, times: Array, table: pd.DataFrame, by: str | None) -> str:
    if times[0] == times[-1]:
        return ""
    begun, lasted = _pause(times)
    intervals = table["start"].nunique()
    all_of = table["per_second"].to_numpy().reshape(-1, intervals).sum(axis=0)
    most = table["start"].iloc[int(all_of.argmax())]
    told = (
        f"In intervals of {words.lasting(table['seconds'][0])} from {words.short(all_of.min())} to "
        f"{words.short(all_of.max())} per second, most at {clock.at(most.value)}. "
        f"The longest time without a record was {words.lasting(lasted)}, from {clock.at(begun)} on."
    )
    return told if by is None else f"{told} {_shares(table, by)}"


def _shares(table: pd.DataFrame, by: str) -> str:
    records = table.groupby("group", sort=False)["records"].sum()
    told = [f"{name} has {number:,}" for name, number in records.items()]
    return f"By {words.name(by)}: {words.listed(told)}."


def _name(by: str, value: object) -> str:
    return f"{words.name(by)} {value}" if isinstance(value, int | np.integer) else words.name(value)
