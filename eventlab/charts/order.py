"""Ordering: the order in which records were produced against the order in which they were read.

Kafka keeps the order of a partition, and a key stays in one partition as long as their number does
(https://kafka.apache.org/44/getting-started/introduction/#main-concepts-and-terminology).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from eventlab.charts import look, reads, thin, words
from eventlab.charts.chart import Chart, blank, entitle, legend, nothing, say
from eventlab.charts.inversions import ACROSS, AGAIN, IN_KEY, IN_ORDER, IN_PARTITION, KINDS
from eventlab.charts.reads import Reads

SAID = {
    IN_ORDER: "in the order of producing",
    ACROSS: "after a later record of another partition",
    IN_PARTITION: "after a later record of the same partition but another key",
    IN_KEY: "after a later record of the same key",
    AGAIN: "read again",
}
TAGGED = 12  # runs of reads from one partition, up to which each is named
JUMPS = 60  # and up to which the jump back between two runs is drawn
WORTH_A_NAME = 0.17  # of all reads, that a run has then
SHOWN = 30  # inversions of a key that are drawn as lines
STYLES: dict[int, dict[str, Any]] = {
    IN_ORDER: {"color": look.COLOURS[0], "marker": "o", "markersize": 3, "zorder": 3},
    ACROSS: {"color": "#9A9A9A", "marker": "v", "markersize": 3.5, "zorder": 2},
    IN_PARTITION: {"color": look.COLOURS[1], "marker": "s", "markersize": 4, "zorder": 4},
    IN_KEY: {"color": look.WRONG, "marker": "X", "markersize": 7, "zorder": 6},
    AGAIN: {"color": look.COLOURS[4], "marker": "D", "markersize": 4, "zorder": 5, "mfc": "white"},
}
MEANING = {
    IN_ORDER: "in the order produced",
    ACROSS: "after a later record\nof another partition",
    IN_PARTITION: "after a later record\nof its partition",
    IN_KEY: "after a later record\nof its key",
    AGAIN: "read again",
}


def ordering(frame: pd.DataFrame) -> Axes:
    """Draw produce order against read order: inversions of a key in red, across partitions grey.

    Columns, one row a record in the order it was read: `partition`, `producer_seq` (its place in
    the order of producing; -1 or NA is unknown and left out), `key` or, where there is none,
    `key_id` (-1 for no key), and if they are there `producer` (whose order it is, where each has
    its own), `topic`, `event_id` and `offset`. A read is an inversion where a record that its
    producer sent later was read before it: one of its key, else of its partition, else of another
    partition. A record that was read before (the same event_id, else the same offset) is read
    again, and no inversion.
    The table counts each kind for each partition. InvalidSetting for a frame without the columns.
    """
    reads.check(frame)
    if frame.empty:
        return nothing("There is no read to show", frame[:0])
    found = reads.read(frame)
    if found is None:
        return nothing("The order of producing is not known", frame[:0])
    table = reads.table(found)
    axes = blank(height=3.8)
    _draw(axes, found)
    _draw_runs(axes, found)
    _draw_inversions(axes, found)
    heading = _heading(table)
    entitle(axes, heading)
    return say(axes, table, f"{heading}.", _in_words(table, found.unknown))


def _draw(axes: Chart, found: Reads) -> None:
    produced, kinds = found.produced, found.kinds
    read = np.arange(1, len(produced) + 1)
    seen = [kind for kind in MEANING if (kinds == kind).any()]
    columns = thin.columns(len(seen))
    for kind in seen:
        rows = np.flatnonzero(kinds == kind)
        kept = rows[thin.extremes(read[rows], produced[rows].astype(float), columns)]
        label = f"{MEANING[kind]}: {len(rows):,}"
        axes.plot(read[kept], produced[kept], linestyle="", label=label, **STYLES[kind])
    axes.set_xlabel("read order (the n-th record read)", color=look.INK)
    whose = "" if found.producer is None else "each one's "
    axes.set_ylabel(f"{whose}produce order (producer_seq)", color=look.INK)
    axes.set_xlim(0, len(produced) * 1.02 + 1)
    axes.set_ylim(produced.min() - 1 - 0.03 * np.ptp(produced), produced.max() * 1.02 + 1)
    for axis, ticks in ((axes.xaxis, 4), (axes.yaxis, 6)):
        axis.set_major_locator(MaxNLocator(ticks, integer=True, steps=[1, 2, 5, 10]))
        axis.set_major_formatter("{x:,.0f}")
    legend(axes, labelspacing=1.0)


def _draw_runs(axes: Chart, found: Reads) -> None:
    """Draw where reading goes on in another partition, back in the order of producing."""
    produced, partition, names = found.produced, found.partition, words.partitions(found.owners)
    starts = np.flatnonzero(partition[1:] != partition[:-1]) + 1
    if len(starts) > JUMPS:
        return
    for start in starts[produced[starts] < produced[starts - 1]]:
        ends = produced[[start - 1, start]]
        axes.plot([start, start + 1], ends, color=look.REST, linewidth=0.8, label="_jump", zorder=1)
    for start, end in zip((0, *starts), (*starts, len(produced)), strict=True):
        if 0 < len(starts) < TAGGED and end - start >= WORTH_A_NAME * len(produced):
            axes.annotate(
                names[partition[start]],
                (start + 1, produced[start]),
                (6, -3),
                textcoords="offset points",
                color=look.QUIET,
                fontsize=7.5,
                parse_math=False,
            )


def _draw_inversions(axes: Chart, found: Reads) -> None:
    """Draw a line to each read that is late in its key, from the read that was before its time."""
    produced, key, producer = found.produced, found.key, found.producer
    for row in np.flatnonzero(found.kinds == IN_KEY)[:SHOWN]:
        same = np.flatnonzero(key[:row] == key[row])
        if producer is not None:
            same = same[producer[same] == producer[row]]
        early = same[produced[same].argmax()]
        axes.plot(
            [early + 1, row + 1],
            produced[[early, row]],
            color=look.WRONG,
            linewidth=1.2,
            label="_inversion",
        )


def _heading(table: pd.DataFrame) -> str:
    reads, kinds = table["reads"].sum(), table[list(KINDS)].sum()
    if kinds["in_key"]:
        said = words.count(kinds["in_key"], "read")
        return f"{said} of {reads:,} came after a later record of the same key"
    if kinds["in_partition"]:
        said = words.count(kinds["in_partition"], "read")
        return f"{said} of {reads:,} came after a later record of the same partition"
    if kinds["across"]:
        late = words.count(kinds["across"], "read")
        return f"In order within each key; across partitions {late} of {reads:,} came late"
    return f"{words.count(reads, 'record')} read, in the order of producing"


def _in_words(table: pd.DataFrame, unknown: int) -> str:
    kinds = table[list(KINDS)].sum()
    counted = [f"{kinds[KINDS[kind]]:,} {said}" for kind, said in SAID.items()]
    said = [text for text in counted if text[:2] != "0 " or text.endswith("same key")]
    about = f"{words.count(len(table), 'partition')}, {words.count(table['reads'].sum(), 'read')}"
    left = f" Left out: {words.count(unknown, 'read')} without a producer_seq." if unknown else ""
    return f"{about}: {words.listed(said)}. Kafka keeps the order of a partition, no more.{left}"
