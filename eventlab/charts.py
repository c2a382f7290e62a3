"""Charts of what a cluster holds: a DataFrame in, matplotlib `Axes` out, each with its own words.

    axes = charts.spread(frame)      # as the last line of a cell it shows itself
    charts.describe(axes)            # the same in a paragraph; `.table` has the numbers

Charts know nothing of Kafka beyond the names of columns. They use no pyplot, hence keep no state
between cells; the face is white on every theme, colours are Okabe and Ito's, and hatches tell
apart what grey print would not.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from eventlab.errors import InvalidSetting

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
HATCHES = ("", "//", "..", "xx", "\\\\", "++")
NO_LEADER = "#B0B0B0"
INK = "#222222"
MOST_LABELS = 16
DPI = 144


class Summary(str):
    """What a chart shows, in a paragraph; `table` is the DataFrame behind it."""

    table: pd.DataFrame

    def __new__(cls, text: str, table: pd.DataFrame) -> Summary:
        """Keep the table with the text."""
        self = super().__new__(cls, text)
        self.table = table
        return self

    def _repr_markdown_(self) -> str:
        return str(self)


class Chart(Axes):
    """Axes that show themselves in a notebook, where bare ones print only their name."""

    summary: Summary

    def __repr__(self) -> str:
        return f"<Chart: {self.summary}>"

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        assert isinstance(self.figure, Figure)
        picture, width = BytesIO(), round(self.figure.get_figwidth() * 100)
        FigureCanvasAgg(self.figure)
        self.figure.savefig(picture, format="png")
        return picture.getvalue(), {"width": width}


def spread(frame: pd.DataFrame) -> Axes:
    """Draw how many records each partition holds, in the colour of the broker that leads it.

    Columns: `partition`, `leader` (a node_id, -1 for none) and `records`; others are ignored.
    InvalidSetting where one of them is missing.
    """
    table = _table(frame)
    axes = _axes(wide=len(table))
    axes.summary = Summary(_in_words(table), table)
    for leader in sorted(table["leader"].unique()):
        led = table[table["leader"] == leader]
        axes.bar(led["partition"], led["records"], width=0.7, **_look(leader))
    _label(axes, table)
    _legend(axes)
    return axes


def describe(axes: Axes) -> Summary:
    """Return what a chart of this module shows: a paragraph of text, with its `.table`.

    InvalidSetting for Axes made elsewhere.
    """
    if not isinstance(axes, Chart):
        raise InvalidSetting(
            "Only a chart of eventlab can be described.",
            f"You gave {type(axes).__name__}.",
            "Pass what charts.spread(...) returned.",
        )
    return axes.summary


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    columns = ["partition", "leader", "records"]
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise InvalidSetting(
            f"The table has no column {' and no column '.join(missing)}.",
            f"It has {', '.join(map(str, frame.columns)) or 'none'}.",
            "Give charts.spread the columns partition, leader and records.",
        )
    return frame[columns].astype("int64").sort_values("partition", ignore_index=True)


def _axes(wide: int) -> Chart:
    figure = Figure(
        figsize=(min(6.5 + 0.13 * max(0, wide - 8), 13), 3.4),
        dpi=DPI,
        facecolor="white",
        layout="constrained",
    )
    axes = figure.add_subplot(axes_class=Chart)
    assert isinstance(axes, Chart)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#888888")
    axes.tick_params(colors=INK, length=0)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color="#E4E4E4")
    return axes


def _look(leader: int) -> dict[str, Any]:
    """Return a broker's colour, hatch and label: broker 1 is blue on every chart."""
    place = (leader - 1) % len(COLOURS)
    known = leader != -1
    return {
        "facecolor": COLOURS[place] if known else NO_LEADER,
        "hatch": HATCHES[place] if known else "",
        "edgecolor": "white",
        "label": f"broker {leader}" if known else "no leader",
    }


def _label(axes: Chart, table: pd.DataFrame) -> None:
    axes.set_title(_heading(table), loc="left", pad=12, color=INK)
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
    records = _count(table["records"].sum(), "record")
    return f"{records} in {_count(len(table), 'partition')}"


def _in_words(table: pd.DataFrame) -> str:
    rest = "" if table.empty else f" {_extremes(table)} {_leaders(table)}"
    return f"{_heading(table)}.{rest}"


def _extremes(table: pd.DataFrame) -> str:
    records = table.set_index("partition")["records"]
    most, least = records.max(), records.min()
    if most == least:
        return f"Each partition holds {_count(most, 'record')}."
    return (
        f"Partition {records.idxmax()} holds the most, {most:,} ({most / records.sum():.1%}), "
        f"and partition {records.idxmin()} the fewest, {least:,} ({least / records.sum():.1%})."
    )


def _leaders(table: pd.DataFrame) -> str:
    phrases = []
    for leader, led in table.groupby("leader")["records"]:
        partitions, records = _count(len(led), "partition"), _count(led.sum(), "record")
        subject = f"Broker {leader} leads" if leader != -1 else "Nobody leads"
        phrases.append(f"{subject} {partitions} with {records}.")
    return " ".join(phrases)


def _count(number: float, noun: str) -> str:
    return f"{number:,.0f} {noun}" if number == 1 else f"{number:,.0f} {noun}s"
