"""Spread: how the records of a topic lie over its partitions and the brokers that lead them."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from eventlab.charts import frames, look
from eventlab.charts.chart import Chart, blank, entitle, say
from eventlab.charts.look import INK
from eventlab.charts.words import count

MOST_LABELS = 16
NEEDED = ("partition", "leader", "records")


def spread(frame: pd.DataFrame) -> Axes:
    """Draw how many records each partition holds, in the colour of the broker that leads it.

    Columns: `partition`, `leader` (a node_id, -1 for none) and `records`; others are ignored.
    InvalidSetting where one of them is missing.
    """
    table = _table(frame)
    axes = blank(width=min(6.5 + 0.13 * max(0, len(table) - 8), 13))
    for leader in sorted(table["leader"].unique()):
        led = table[table["leader"] == leader]
        axes.bar(led["partition"], led["records"], width=0.7, **look.broker(leader))
    _label(axes, table)
    _legend(axes)
    return say(axes, table, _in_words(table))


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    frames.check(frame, "spread", *NEEDED)
    if frame.empty:
        return frame[list(NEEDED)].astype("int64")
    least = {"partition": 0, "leader": -1, "records": 0}
    columns = {name: frames.wholes(frame, name, least[name]) for name in NEEDED}
    return pd.DataFrame(columns).sort_values("partition", ignore_index=True)


def _label(axes: Chart, table: pd.DataFrame) -> None:
    entitle(axes, _heading(table))
    axes.set_ylabel("records", color=INK)
    axes.set_xlabel("partition", color=INK)
    axes.set_ylim(0, max([1, *table["records"]]) * 1.12)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    _label_partitions(axes, table)


def _label_partitions(axes: Chart, table: pd.DataFrame) -> None:
    first, last = min([0, *table["partition"]]), max([0, *table["partition"]])
    half = max(1.8, (last - first) / 2 + 0.7)
    axes.set_xlim((first + last) / 2 - half, (first + last) / 2 + half)
    if len(table) > MOST_LABELS:
        axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
        return
    axes.set_xticks(table["partition"])
    for partition, _, records in table.itertuples(index=False):
        text, place = f"{records:,}", (partition, records)
        axes.annotate(text, place, (0, 3), textcoords="offset points", ha="center", color=INK)


def _legend(axes: Chart) -> None:
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            title="leader",
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            frameon=False,
            labelcolor=INK,
            handleheight=1.4,
        )


def _heading(table: pd.DataFrame) -> str:
    if table.empty:
        return "There is no partition to show"
    records = count(table["records"].sum(), "record")
    return f"{records} in {count(len(table), 'partition')}"


def _in_words(table: pd.DataFrame) -> str:
    rest = "" if table.empty else f" {_extremes(table)} {_leaders(table)}"
    return f"{_heading(table)}.{rest}"


def _extremes(table: pd.DataFrame) -> str:
    records = table.set_index("partition")["records"]
    most, least = records.max(), records.min()
    if most == least:
        return f"Each partition holds {count(most, 'record')}."
    return (
        f"Partition {records.idxmax()} holds the most, {most:,} ({most / records.sum():.1%}), "
        f"and partition {records.idxmin()} the fewest, {least:,} ({least / records.sum():.1%})."
    )


def _leaders(table: pd.DataFrame) -> str:
    phrases = []
    for leader, led in table.groupby("leader")["records"]:
        partitions, records = count(len(led), "partition"), count(led.sum(), "record")
        subject = f"Broker {leader} leads" if leader != -1 else "Nobody leads"
        phrases.append(f"{subject} {partitions} with {records}.")
    return " ".join(phrases)
