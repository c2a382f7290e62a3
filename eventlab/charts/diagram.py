"""Space-time diagram: who sent what when, where it lay, and who read it when.

Lanes are producers, partitions and consumers, time goes to the right, a record is an arrow down:
the picture in which Lamport explained what "before" means (https://doi.org/10.1145/359545.359563).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from eventlab.charts import frames, journeys, layout, shading, ways, words
from eventlab.charts.chart import entitle, nothing, say
from eventlab.charts.clock import Clock
from eventlab.charts.journeys import KINDS, NEEDED, READ, Arrows, Journeys


def spacetime(frame: pd.DataFrame, *, faults: pd.DataFrame | None = None) -> Axes:
    """Draw the way of each record from its producer to its partition and to its consumers.

    Columns, one row an operation: `time`, `process`, `type` (invoke, ok, fail, info), `f` (send,
    poll, assign, revoke, commit, ...), `topic`, `partition`, `offset`, `event_id`; `client`, the
    name of who, `group_id` and `error` if they are there. A poll has a row for each record.
    Without `faults` those among the operations (`f` is fault, until a heal of the same `error`)
    are shaded.
    A record that a group had read before is read again. Of more than 250 arrows the longest of
    each moment are drawn. The table has a row for each: kind, process, topic, partition, offset,
    event_id, start, end.
    InvalidSetting for a frame without these columns or with other things in them.
    """
    frames.check(frame, "spacetime", *NEEDED)
    if frame.empty:
        return nothing("There is no operation to show", frame[list(NEEDED)])
    found = journeys.read(frame)
    known = shading.read(found.faults if faults is None else faults, "spacetime")
    if not len(found.arrows):
        return nothing("No record was sent or read", frame[list(NEEDED)])
    clock = shading.clock(int(found.times.min()), int(found.times.max()), known)
    axes, lanes = layout.laid(found)
    clock.draw(axes, spare=0.03)
    ways.draw(axes, clock, found, lanes, known)
    heading = _heading(found.arrows)
    entitle(axes, heading, shading.shade(axes, clock, known))
    said = _in_words(clock, found)
    return say(axes, _table(found), f"{heading}.", said, shading.told(clock, known))


def _heading(arrows: Arrows) -> str:
    sent, failed, unknown, read, again = map(arrows.count, range(len(KINDS)))
    if again:
        return f"{again:,} of {read + again:,} reads were of a record that had been read before"
    if failed or unknown:
        return f"{failed + unknown:,} of {sent + failed + unknown:,} sends were not acknowledged"
    if read and sent:
        return f"{words.count(sent, 'record')} sent, {read:,} read, none of them twice"
    return f"{words.count(sent or read, 'record')} {'sent' if sent else 'read'}"


def _in_words(clock: Clock, found: Journeys) -> str:
    arrows = found.arrows
    counted = [
        f"{number:,} {ways.LABELS[kind]}" for kind in ways.STYLES if (number := arrows.count(kind))
    ]
    who = [
        words.count(len(some), noun)
        for some, noun in (
            (found.producers, "producer"),
            (found.parts, "partition"),
            (found.consumers, "consumer"),
        )
    ]
    told = [f"{words.listed(who)} over {words.lasting(clock.seconds)}: {words.listed(counted)}."]
    waits = (arrows.ends - arrows.starts)[arrows.of(READ)] / 1e9
    if len(waits):
        middle = (len(waits) - 1) // 2
        half = float(np.partition(waits, middle)[middle])
        told.append(
            f"Half of the reads came within {words.lasting(half)} of the record's arrival, the "
            f"last within {words.lasting(waits.max())}."
        )
    if len(found.owning):
        told.append(f"Consumers were given partitions {words.count(len(found.owning), 'time')}.")
    return " ".join(told)


def _table(found: Journeys) -> pd.DataFrame:
    arrows = found.arrows
    parts = pd.DataFrame([*found.parts, (None, -1)], columns=["topic", "partition"])
    own = parts.iloc[arrows.part].reset_index(drop=True)  # -1, for none, is the last row
    table = pd.DataFrame({"kind": pd.Categorical.from_codes(arrows.kind, pd.Index(KINDS))})
    table["process"] = arrows.who
    table[["topic", "partition"]] = own
    table["offset"], table["event_id"] = arrows.offset, arrows.event_id
    for name, moments in (("start", arrows.starts), ("end", arrows.ends)):
        table[name] = frames.moments(moments)
    return table
