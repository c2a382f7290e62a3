"""Lag over time: how far behind the end of each partition a group is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from eventlab.charts import frames, groups, lanes, lines, look, shading, thin, words
from eventlab.charts.chart import Chart, blank, entitle, nothing, say
from eventlab.charts.clock import Clock
from eventlab.charts.groups import Array

NEEDED = ("time", "topic", "partition", "lag")
NAMED = 6  # lines with a colour and a name of their own
KNOWN = ("first", "least", "most", "last")
SAID = 4  # partitions that the words go through one by one


@dataclass(frozen=True, slots=True)
class Line:
    """The lag of one partition over time; NaN while nothing is committed."""

    owner: tuple[Any, ...]
    times: Array
    lags: Array


def lag(frame: pd.DataFrame, *, faults: pd.DataFrame | None = None) -> Axes:
    """Draw the lag of each partition over time, with a gap while nothing is committed.

    Columns: `time`, `topic`, `partition`, `lag` (records; NA is unknown), and if they are there
    `committed` (where it is False nothing is drawn) and `group_id`; a row is a sample. A lag below
    zero, where a group had committed more than the log still holds, lies in a hatched band.
    The six that lag most have names, all others lie in a grey band; of more than 2,000 points
    each pixel keeps its least and its most. The table has one row a partition.
    InvalidSetting for a frame without these columns, or with a lag that is no number.
    """
    frames.check(frame, "lag", *NEEDED)
    known = shading.read(faults, "lag")
    if frame.empty:
        return nothing("There is no lag to show", frame[list(NEEDED)])
    found = read(frame)
    rows = table(found)
    first = min(int(line.times[0]) for line in found)
    clock = shading.clock(first, max(int(line.times[-1]) for line in found), known)
    axes, labels = blank(), words.partitions([line.owner for line in found])
    _draw(axes, clock, found, rows, labels)
    heading = _heading(rows, labels)
    entitle(axes, heading, shading.shade(axes, clock, known))
    said = _in_words(clock, rows, labels)
    return say(axes, rows, f"{heading}.", said, shading.told(clock, known))


def read(frame: pd.DataFrame) -> list[Line]:
    """Return the lag of each partition in the order of time."""
    times, lags = frames.times(frame), frames.numbers(frame, "lag", least=-np.inf)
    if "committed" in frame.columns:
        lags = np.where(frames.flags(frame, "committed"), lags, np.nan)
    frames.wholes(frame, "partition")
    group = ("group_id",) if "group_id" in frame.columns else ()
    owners, of = frames.grouped(frame, *group, "topic", "partition")
    order = frames.in_time(times)
    if order is not None:
        times, lags, of = times[order], lags[order], of[order]
    parts = zip(owners, groups.split(of, len(owners)), strict=True)
    return [Line(owner, times[rows], lags[rows]) for owner, rows in parts]


def table(found: Sequence[Line]) -> pd.DataFrame:
    """Return a row for each partition: its samples, its first, least, largest and last lag."""
    names = ("group_id", "topic", "partition")[-len(found[0].owner) :]
    rows = [dict(zip(names, line.owner, strict=True)) | _row(line) for line in found]
    made = pd.DataFrame(rows).astype(dict.fromkeys(KNOWN, "Int64"))
    return made.assign(most_at=pd.to_datetime(made["most_at"], utc=True).dt.as_unit("ns"))


def _row(line: Line) -> dict[str, Any]:
    known = np.flatnonzero(~np.isnan(line.lags))
    counted = {"samples": len(line.lags), "unknown": len(line.lags) - len(known)}
    if not len(known):
        return counted | dict.fromkeys(KNOWN, pd.NA) | {"most_at": None}
    lags = line.lags[known]
    most = int(lags.argmax())
    at = pd.Timestamp(line.times[known[most]], tz="UTC")
    told = {"first": lags[0], "least": lags.min(), "most": lags[most], "most_at": at}
    return counted | told | {"last": lags[-1]}


def _draw(
    axes: Chart,
    clock: Clock,
    found: Sequence[Line],
    table: pd.DataFrame,
    labels: Sequence[str],
) -> None:
    most, unknown = _weight(table), table["most"].isna()
    named = sorted(most.sort_values(ascending=False, kind="stable").index[:NAMED])
    rest = [line for place, line in enumerate(found) if place not in named]
    columns = thin.columns(len(named) + bool(rest))
    clock.draw(axes)
    least, largest = float(table["least"].fillna(0).min()), float(table["most"].fillna(0).max())
    lines.count_upwards(axes, largest, "lag (records)", min(0.0, least))
    _draw_below(axes, least)
    ends: list[lines.End] = []
    for turn, place in enumerate(named):
        style, line = look.line(turn), found[place]
        style["label"] = f"{labels[place]}: no commit" if unknown[place] else labels[place]
        end = lines.draw(axes, clock, line.times, line.lags, style, columns)
        ends.append((style["label"], end, style))
    if rest:
        ends.append(_draw_rest(axes, clock, rest, columns))
    lines.name(axes, ends)


def _weight(table: pd.DataFrame) -> pd.Series[float]:
    """Return how far each partition is from no lag, to either side; -1 where nobody knows."""
    return table[["most", "least"]].abs().max(axis=1).fillna(-1).astype("float64")


def _draw_below(axes: Chart, least: float) -> None:
    """Mark what is below zero: offsets that were committed and are not in the log."""
    if least >= 0:
        return
    style: dict[str, Any] = {"facecolor": "none", "edgecolor": look.REST, "hatch": "//"}
    axes.axhspan(axes.get_ylim()[0], 0, linewidth=0, zorder=0.3, label="_below", **style)
    axes.axhline(0, color=look.INK, linewidth=0.8, label="_zero", zorder=0.6)
    x, middle = axes.get_xlim()[0], (axes.get_ylim()[0] + least) / 2
    lanes.write(axes, " committed beyond the end of the log", x, middle, ha="left")


def _draw_rest(axes: Chart, clock: Clock, rest: Sequence[Line], columns: int) -> lines.End:
    times = np.concatenate([line.times for line in rest])
    order = np.argsort(times, kind="stable")
    lags = np.concatenate([line.lags for line in rest])[order]
    x, low, high = thin.band(times[order], lags, columns)
    label = words.count(len(rest), "other")
    axes.fill_between(clock(x), low, high, color=look.REST, alpha=0.6, linewidth=0, label=label)
    return label, float(np.nan_to_num(high[-1])), {"color": look.REST}


def _heading(table: pd.DataFrame, labels: Sequence[str]) -> str:
    if table["most"].isna().all():
        return "Nothing is committed yet, so no lag is known"
    least = int(table["least"].min())
    if least < 0:
        place = int(table["least"].fillna(0).to_numpy().argmin())
        beyond = words.count(-least, "record")
        return f"{words.begun(labels[place])} was committed {beyond} beyond the end of the log"
    place = int(table["most"].fillna(-1).to_numpy().argmax())
    most, left = table["most"].max(), table["last"].sum()
    records = words.count(most, "record")
    if table["samples"].max() == 1:
        return f"A lag of {records} on {labels[place]}"
    if most == 0:
        return "No lag: what was written had been read at each look"
    if left == 0:
        return f"Lag reached {records} on {labels[place]} and was worked off"
    if table["last"][place] == most:
        return f"Lag grew to {records} on {labels[place]}"
    return f"Lag reached {records} on {labels[place]}; {left:,} in all remain"


def _in_words(clock: Clock, table: pd.DataFrame, labels: Sequence[str]) -> str:
    order = _weight(table).sort_values(ascending=False, kind="stable").index
    lasted = f" over {words.lasting(clock.seconds)}" if clock.seconds else ""
    told = [f"{words.count(len(table), 'partition')}{lasted}."]
    told += [_one(clock, labels[place], table.loc[place]) for place in order[:SAID]]
    if len(table) > SAID:
        rest = words.count(len(table) - SAID, "partition")
        told.append(f"The other {rest} lagged no more than that.")
    if (table["least"] < 0).any():
        told.append(
            "A lag below zero is of offsets that are not in the log: its end was lost with a "
            "leader, the topic was made anew, or somebody committed them by hand."
        )
    return " ".join(told)


def _one(clock: Clock, label: str, row: pd.Series[Any]) -> str:
    label = words.begun(label)
    if row["unknown"] == row["samples"]:
        return f"{label}: nothing committed."
    most = f"at most {row['most']:,} (at {clock.at(row['most_at'].value)})"
    least = f", at least {row['least']:,}" if row["least"] < 0 else ""
    told = f"{label}: {row['first']:,} at first, {most}{least}, {row['last']:,} at last."
    if row["unknown"]:
        samples = words.count(row["samples"], "sample")
        told += f" Nothing was committed in {row['unknown']:,} of {samples}."
    return told
