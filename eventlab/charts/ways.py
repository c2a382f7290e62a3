"""The arrows of a space-time diagram, and what happened to consumers on their lanes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection

from eventlab.charts import lanes, look
from eventlab.charts.chart import Chart, legend
from eventlab.charts.clock import Clock
from eventlab.charts.groups import Array
from eventlab.charts.journeys import (
    ACKNOWLEDGED,
    AGAIN,
    FAILED,
    KINDS,
    READ,
    UNKNOWN,
    Arrows,
    Journeys,
)
from eventlab.charts.layout import Layout
from eventlab.charts.shading import Fault
from eventlab.charts.spans import Spans

MOST = 250  # arrows that are drawn
NUMBERED = 30  # records up to which their offsets are written
FEW = 150  # arrows up to which each is drawn in full
STUB = 0.45  # of a lane, how far an arrow goes that arrives nowhere
STYLES: dict[int, dict[str, Any]] = {
    ACKNOWLEDGED: {"color": look.COLOURS[0], "linestyle": "-", "marker": "v", "markersize": 5},
    READ: {"color": look.COLOURS[2], "linestyle": "-", "marker": "v", "markersize": 5},
    AGAIN: {"color": look.COLOURS[5], "linestyle": "--", "marker": "D", "markersize": 5},
    FAILED: {"color": look.INK, "linestyle": ":", "marker": "x", "markersize": 6},
    UNKNOWN: {"color": look.COLOURS[1], "linestyle": "--", "marker": "$?$", "markersize": 7},
}
LABELS = {
    ACKNOWLEDGED: "sent and acknowledged",
    READ: "read",
    AGAIN: "read again",
    FAILED: "send failed",
    UNKNOWN: "sent, nobody knows",
}


def draw(
    axes: Chart, clock: Clock, found: Journeys, layout: Layout, faults: Sequence[Fault]
) -> None:
    """Draw what was found on lanes that are laid, and explain it."""
    kept = _thinned(found.arrows, clock, len(found.parts))
    _draw_arrows(axes, clock, found.arrows.at(kept), layout)
    _draw_owning(axes, clock, found.owning, layout)
    _draw_commits(axes, clock, found, layout)
    _draw_hits(axes, clock, layout, faults)
    _explain(axes, found.arrows, len(kept))


def _thinned(arrows: Arrows, clock: Clock, parts: int) -> Array:
    """Return the places of the arrows that are drawn: of each moment and lane the longest."""
    if len(arrows) <= MOST:
        return np.arange(len(arrows))
    seen = [rows for kind in range(len(KINDS)) if len(rows := arrows.of(kind))]
    columns = max(4, MOST // len(seen) // max(1, parts))
    kept = []
    for rows in seen:
        spans = Spans(arrows.part[rows], arrows.starts[rows], arrows.ends[rows])
        kept.append(rows[spans.longest(clock.start, clock.end, columns)])
    return np.concatenate(kept)


def _draw_arrows(axes: Chart, clock: Clock, arrows: Arrows, layout: Layout) -> None:
    thin = 1.0 if len(arrows) <= FEW else 0.6
    for kind, style in STYLES.items():
        some = arrows.at(arrows.of(kind))
        if not len(some):
            continue
        start, end = clock(some.starts), clock(some.ends)
        top, bottom = _lanes(some, kind, layout)
        way = np.stack([np.stack([start, top], 1), np.stack([end, bottom], 1)], 1)
        line = {key: style[key] for key in ("color", "linestyle")}
        drawn = LineCollection(list(way), linewidths=1.2 * thin, zorder=2, label="_way", **line)
        axes.add_collection(drawn, autolim=False)
        head = {**style, "linestyle": "", "markersize": style["markersize"] * thin}
        axes.plot(end, bottom, label=LABELS[kind], zorder=3, clip_on=False, **head)
    landed = arrows.at(arrows.of(ACKNOWLEDGED))
    if len(landed) <= NUMBERED:
        _number(axes, clock, landed, layout)


def _lanes(arrows: Arrows, kind: int, layout: Layout) -> tuple[Array, Array]:
    """Return where arrows of a kind begin and end."""
    if kind in (READ, AGAIN):
        return layout.part(arrows.part), layout.reader(arrows.who)
    top = layout.sender(arrows.who)
    return top, layout.part(arrows.part) if kind == ACKNOWLEDGED else top + STUB


def _number(axes: Chart, clock: Clock, landed: Arrows, layout: Layout) -> None:
    """Write the offset of each record where it lands."""
    for end, part, offset in zip(landed.ends, landed.part, landed.offset, strict=True):
        axes.annotate(
            f"{offset:,}",
            (float(clock(end)), float(layout.part(part))),
            (4, 4),
            textcoords="offset points",
            color=look.INK,
            fontsize=7,
        )


def _draw_owning(axes: Chart, clock: Clock, owning: Spans, layout: Layout) -> None:
    """Draw a band while a consumer owned partitions; it begins with a rebalance."""
    if len(owning):
        lane = layout.reader(owning.lane).astype(float)
        spans = Spans(lane, owning.starts, owning.ends)
        band = {"facecolor": "#CFE3D9", "edgecolor": look.COLOURS[2], "zorder": 0.9}
        lanes.bars(axes, clock, spans, 0.3, label="owns partitions", **band)
        mark: dict[str, Any] = {"marker": "|", "markersize": 16, "markeredgewidth": 2.5}
        x, style = clock(spans.starts), {"color": look.COLOURS[2], "linestyle": "", **mark}
        axes.plot(x, spans.lane, label="rebalance", zorder=1, **style)


def _draw_commits(axes: Chart, clock: Clock, found: Journeys, layout: Layout) -> None:
    process, times = found.commits
    if len(times):
        lane = layout.reader(process)
        moments = Spans(lane, times, times)
        columns = max(8, MOST // 2 // len(found.consumers))
        kept = moments.longest(clock.start, clock.end, columns)
        x, y = clock(times[kept]), lane[kept] + 0.26
        style: dict[str, Any] = {"color": look.INK, "linestyle": "", "marker": "^"}
        axes.plot(x, y, markersize=4, label="commit", **style)


def _draw_hits(axes: Chart, clock: Clock, layout: Layout, faults: Sequence[Fault]) -> None:
    """Mark the lane of a client that a fault hit, where its name is the target."""
    hits = [fault for fault in faults if fault.target in layout.labels]
    seen = [fault for fault in hits if clock.start <= fault.start <= clock.end]
    if seen:
        x = [float(clock(fault.start)) for fault in seen]
        y = [layout.labels.index(fault.target) for fault in seen]
        style: dict[str, Any] = {"color": look.WRONG, "linestyle": "", "marker": "X"}
        axes.plot(x, y, markersize=12, markeredgecolor="white", label="fault", zorder=4, **style)


def _explain(axes: Chart, arrows: Arrows, drawn: int) -> None:
    counts = {LABELS[kind]: arrows.count(kind) for kind in STYLES}
    handles, labels = axes.get_legend_handles_labels()
    title = "" if drawn == len(arrows) else f"the longest {drawn:,}\nof {len(arrows):,} arrows"
    told = [f"{label}: {counts[label]:,}" if label in counts else label for label in labels]
    legend(axes, title, handles=handles, labels=told)
