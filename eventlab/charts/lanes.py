"""Lanes: one above the other, time to the right, bars from a start to an end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch

from eventlab.charts import words
from eventlab.charts.chart import Chart, blank, legend
from eventlab.charts.clock import Clock
from eventlab.charts.look import INK, REST, SMALL
from eventlab.charts.spans import Spans

HIGHEST = 9.0  # inches
LABELLED = 45  # lanes, up to which each has its name
LISTED = 12  # looks that a legend explains
ROOM = 0.085  # of the width, that a duration written into a lane takes
LETTER = 0.013  # and a letter more
WRITTEN = 60  # durations


def laid(labels: Sequence[str], each: float = 0.36) -> Chart:
    """Return Axes with so many lanes, the first on top, each so many inches high."""
    axes = blank(height=min(HIGHEST, 1.25 + each * max(2, len(labels))))
    spare = max(0.5, 1.0 - len(labels) / 2)
    axes.set_ylim(len(labels) - 1 + spare, -spare)
    step = -(-len(labels) // LABELLED)
    axes.set_yticks(range(0, len(labels), step), labels[::step], parse_math=False)
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    named = [lane for lane, label in enumerate(labels) if label and step == 1]
    whole = axes.get_yaxis_transform()  # one artist for all: they would take a third of the time
    axes.hlines(named, 0, 1, colors=REST, linewidths=0.8, zorder=0.6, transform=whole)
    return axes


def bars(axes: Chart, clock: Clock, spans: Spans, high: float, **style: Any) -> PolyCollection:
    """Draw a bar so high for each span, in its lane."""
    left, right = clock(spans.starts), clock(spans.ends)
    if clock.start == clock.end:  # what is seen at one moment only fills the chart
        left, right = left - 0.5, right + 0.5
    low, top = spans.lane - high / 2, spans.lane + high / 2
    corners = np.stack([left, low, left, top, right, top, right, low], axis=1)
    drawn = PolyCollection(list(corners.reshape(-1, 4, 2)), linewidths=0.6, **style)
    axes.add_collection(drawn, autolim=False)
    return drawn


def time(axes: Chart, clock: Clock, spans: Spans, about: str, color: str = INK) -> None:
    """Write into the spans how long they last, and where there is room what that is about."""
    share = spans.seconds / (clock.seconds or 1.0)
    for place in np.flatnonzero(share >= ROOM)[:WRITTEN]:
        x = (clock(spans.starts[place]) + clock(spans.ends[place])) / 2
        text = words.lasting(spans.seconds[place])
        if share[place] >= ROOM + len(about) * LETTER:
            text = f"{about} {text}"
        write(axes, text, float(x), float(spans.lane[place]), color=color)


def write(axes: Chart, text: str, x: float, lane: float, **style: Any) -> None:
    """Write into a lane, on white, so that it can be read on every bar."""
    box = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.92}
    style = {"ha": "center", "color": INK, "fontsize": SMALL - 1, **style}
    axes.text(x, lane, text, va="center", bbox=box, clip_on=True, parse_math=False, **style)


def explain(axes: Chart, looks: Sequence[dict[str, Any]], title: str) -> None:
    """Put a legend of bars to the right of the chart."""
    handles = [Patch(**look) for look in looks[:LISTED]]
    if len(looks) > LISTED:
        more = f"and {len(looks) - LISTED:,} more"
        handles.append(Patch(facecolor="none", edgecolor="none", label=more))
    made = legend(axes, title, handles=handles, handleheight=1.3)
    for text in made.get_texts():
        text.set_parse_math(False)
