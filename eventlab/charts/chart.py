"""The Axes of every chart: they show themselves, and say in words what they show."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.transforms import blended_transform_factory

from eventlab.charts.look import INK, QUIET, SMALL
from eventlab.errors import InvalidSetting

WIDTH, HEIGHT, DPI = 6.5, 3.4, 144
_LETTERS = 10.2  # of a title, in an inch
_MARKDOWN = re.compile(r"([\\`*_\[\]<>$&#~|])")


class Summary(str):
    """What a chart shows, in a paragraph; `table` is the DataFrame behind it."""

    table: pd.DataFrame

    def __new__(cls, text: str, table: pd.DataFrame) -> Summary:
        """Keep the table with the text."""
        self = super().__new__(cls, text)
        self.table = table
        return self

    def _repr_markdown_(self) -> str:
        return _MARKDOWN.sub(r"\\\1", self)  # names come from topics, keys and clients


class Chart(Axes):
    """Axes that show themselves in a notebook, where bare ones print only their name."""

    summary: Summary

    def __repr__(self) -> str:
        return f"<Chart: {self.summary}>"

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        assert isinstance(self.figure, Figure)
        picture, width = BytesIO(), round(self.figure.get_figwidth() * 100)
        quick = {"compress_level": 4}  # 8 % larger than the default, in half the time
        # Figure.savefig would draw all twice, first for the layout, which drawing sees to as well.
        canvas: Any = FigureCanvasAgg(self.figure)
        canvas.print_png(picture, pil_kwargs=quick)
        return picture.getvalue(), {"width": width, "alt": str(self.summary)}


def describe(axes: Axes) -> Summary:
    """Return what a chart of this package shows: a paragraph of text, with its `.table`.

    InvalidSetting for Axes made elsewhere.
    """
    if not isinstance(axes, Chart):
        raise InvalidSetting(
            "Only a chart of eventlab can be described.",
            f"You gave {type(axes).__name__}.",
            "Pass what charts.spread(...), or another of its charts, returned.",
        )
    return axes.summary


def blank(width: float = WIDTH, height: float = HEIGHT) -> Chart:
    """Return empty Axes on a white figure of their own, inches wide and high."""
    figure = Figure((width, height), dpi=DPI, facecolor="white", layout="constrained")
    axes = figure.add_subplot(axes_class=Chart)
    assert isinstance(axes, Chart)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#888888")
    axes.tick_params(colors=INK, length=0)
    axes.tick_params(axis="x", pad=6)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color="#E4E4E4")
    return axes


def entitle(axes: Chart, title: str, pad: float = 10) -> None:
    """Write the finding over the chart, from the left edge of the figure, smaller where long."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    size = min(12.0, 12.0 * figure.get_figwidth() * _LETTERS / len(title))
    text = axes.set_title(title, loc="left", pad=pad, color=INK, fontsize=size, parse_math=False)
    text.set_x(0.012)
    text.set_transform(blended_transform_factory(figure.transFigure, text.get_transform()))


def legend(axes: Chart, title: str = "", **more: Any) -> Legend:
    """Put a legend to the right of the chart, small, its title quiet; return it."""
    made = axes.legend(
        title=title,
        title_fontsize=SMALL,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        labelcolor=INK,
        fontsize=SMALL,
        **more,
    )
    made.get_title().set_color(QUIET)
    return made


def say(axes: Chart, table: pd.DataFrame, *sentences: str) -> Chart:
    """Give a chart its table and its words; return it."""
    axes.summary = Summary(" ".join(filter(None, sentences)), table)
    return axes


def nothing(heading: str, table: pd.DataFrame) -> Chart:
    """Return a chart of no rows, which says so."""
    axes = blank()
    entitle(axes, heading)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, "no rows", transform=axes.transAxes, ha="center", va="center", color=QUIET)
    return say(axes, table[:0], f"{heading}.")
