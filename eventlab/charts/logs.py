"""The log of each partition as a judge saw it: what is lost, doubled or out of order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from eventlab.charts import frames, lanes, look, words
from eventlab.charts.chart import Chart, entitle, nothing, say
from eventlab.charts.groups import Array
from eventlab.charts.thin import PIXELS

NEEDED = ("topic", "partition", "offset", "anomaly", "in_log")
NONE, LOST = "none", "lost"
_LOG = 0.16  # of a lane, that the log is high
_MARK = 0.5  # and an anomaly in it
_BELOW = (0.28, 0.2)  # where records that are not there are drawn, and how high


def anomalies(frame: pd.DataFrame) -> Axes:
    """Draw where in the log of each partition something is wrong.

    Columns: `topic`, `partition`, `offset`, `anomaly` (its name, None for none) and `in_log` (False
    for a record that was acknowledged at this offset and is not there): `verdict.records()`.
    The table counts each anomaly of each partition: topic, partition, anomaly ("none" for records
    that are as they should be), records, first_offset, last_offset.
    InvalidSetting for a frame without these columns.
    """
    frames.check(frame, "anomalies", *NEEDED)
    if frame.empty:
        return nothing("There is no record to show", frame[list(NEEDED)])
    parts, of = frames.grouped(frame, "topic", "partition")
    numbers, kinds = frames.codes(frame, "anomaly")
    offsets, there = frames.wholes(frame, "offset"), frames.flags(frame, "in_log")
    rows = pd.DataFrame({"part": of, "kind": numbers, "offset": offsets, "in_log": there})
    names = [*map(words.name, kinds), NONE]  # -1, for none, is the last
    table = _table(rows, parts, names)
    axes = lanes.laid(words.partitions(parts))
    _draw(axes, rows, names)
    heading = _heading(table)
    entitle(axes, heading)
    said = _in_words(table, parts), _not_there(int((~there).sum()))
    return say(axes, table, f"{heading}.", *said)


def _table(rows: pd.DataFrame, parts: list[tuple[Any, ...]], names: list[str]) -> pd.DataFrame:
    groups = rows.groupby(["part", "kind"], sort=False)["offset"]
    table = groups.agg(records="size", first_offset="min", last_offset="max").reset_index()
    table.insert(2, "anomaly", [names[kind] for kind in table["kind"]])
    table = table.sort_values(["part", "anomaly"], ignore_index=True)
    table.insert(0, "topic", [parts[part][0] for part in table["part"]])
    table.insert(1, "partition", [parts[part][1] for part in table["part"]])
    return table.drop(columns=["part", "kind"])


def _draw(axes: Chart, rows: pd.DataFrame, names: list[str]) -> None:
    first, last = int(rows["offset"].min()), int(rows["offset"].max()) + 1
    column = max(1.0, (last - first) / PIXELS)
    wrong = rows[rows["kind"] >= 0]
    looks = _looks(sorted(names[kind] for kind in wrong["kind"].unique()))
    logs = rows[rows["in_log"]].groupby("part")["offset"].agg(["min", "max"])
    for lane, start, end in logs.itertuples():
        axes.broken_barh([(start, end + 1 - start)], (lane - _LOG / 2, _LOG), **looks[NONE])
    by: Any = wrong.groupby(["part", "kind", "in_log"])["offset"]
    for (lane, kind, there), found in by:
        low, high = (-_MARK / 2, _MARK) if there else _BELOW
        drawn = _stretches(found.to_numpy(), first, column)
        axes.broken_barh(drawn, (lane + low, high), **looks[names[kind]])
    room = 0.02 * (last - first)
    axes.set_xlim(first - room, last + room)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("offset", color=look.INK)
    lanes.explain(axes, list(looks.values()), "")


def _looks(kinds: list[str]) -> dict[str, dict[str, Any]]:
    """Return the look of the log and of each anomaly; what is lost is red."""
    log = {"facecolor": look.REST, "edgecolor": "none", "label": "the log"}
    styles: dict[str, dict[str, Any]] = {NONE: log}
    for place, kind in enumerate(kinds):
        styles[kind] = {**look.fill(place), "linewidth": 0, "label": kind}
        if kind == LOST:
            styles[kind] |= {"facecolor": look.WRONG, "hatch": ""}
    return styles


def _stretches(offsets: Array, first: int, column: float) -> list[tuple[float, float]]:
    """Return (start, width) of what these offsets cover, each at least a column of the picture."""
    columns = np.unique(((offsets - first) / column).astype("int64"))
    breaks = np.flatnonzero(np.diff(columns) > 1)
    starts, ends = columns[np.append(0, breaks + 1)], columns[np.append(breaks, -1)] + 1
    return [
        (first + start * column, (end - start) * column)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]


def _heading(table: pd.DataFrame) -> str:
    total = words.count(table["records"].sum(), "record")
    wrong = table[table["anomaly"] != NONE].groupby("anomaly")["records"].sum()
    if wrong.empty:
        return f"Nothing is wrong with {total}"
    found = [f"{number:,} {kind}" for kind, number in wrong.sort_values(ascending=False).items()]
    return f"{words.listed(found, 4)} of {total}"


def _in_words(table: pd.DataFrame, parts: list[tuple[Any, ...]]) -> str:
    wrong = table[table["anomaly"] != NONE].sort_values("records", ascending=False, kind="stable")
    names = dict(zip(parts, words.partitions(parts), strict=True))
    told = [
        f"{row.records:,} {row.anomaly} in {names[row.topic, row.partition]}, {_between(row)}"
        for row in wrong.itertuples()
    ]
    return f"There are {words.listed(told, 5)}." if told else ""


def _between(row: Any) -> str:
    if row.first_offset == row.last_offset:
        return f"at offset {row.first_offset:,}"
    return f"from offset {row.first_offset:,} to {row.last_offset:,}"


def _not_there(missing: int) -> str:
    if not missing:
        return ""
    were = "was acknowledged and is" if missing == 1 else "were acknowledged and are"
    return f"{words.count(missing, 'record')} {were} not in the log: drawn below it."
