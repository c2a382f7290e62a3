"""Assignment: which member of a group owned which partition, and when nobody did.

With an eager assignor all members of a group give up all partitions before any is given out again
(https://cwiki.apache.org/confluence/x/vAclBg, KIP-429, has the way out): the world stands still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from eventlab.charts import frames, lanes, look, shading, words
from eventlab.charts.chart import Chart, entitle, nothing, say
from eventlab.charts.clock import Clock
from eventlab.charts.groups import Array
from eventlab.charts.spans import Spans, from_events

NEEDED = ("time", "process", "topic", "partition", "owned")
MOST = 400  # bars that are drawn


@dataclass(slots=True)
class Held:
    """Who held what: `held` are spans with a partition as lane, `by` the owner of each."""

    partitions: list[tuple[Any, ...]]
    owners: list[str]
    held: Spans
    by: Array
    lasting: Array  # whether it had not ended
    free: Spans = field(init=False)  # nobody, between two owners
    shared: Spans = field(init=False)  # two at once
    still: Spans = field(init=False)  # nobody had any partition

    def __post_init__(self) -> None:
        between, owners = self.held.covered()
        self.free, self.shared = between.at(owners == 0), between.at(owners > 1)
        between, owners = self.held.together().covered()
        self.still = between.at(owners == 0)


def assignment(frame: pd.DataFrame, *, faults: pd.DataFrame | None = None) -> Axes:
    """Draw which consumer owned each partition over time; a gap is a partition that nobody read.

    Columns, one row an event: `time`, `process` (who), `topic`, `partition`, `owned` (True when it
    was assigned, False when it was revoked or lost), and perhaps `client`, the name of who.
    The table has a row for each span: topic, partition, owner (None where nobody was, between two
    owners), start, end (NaT while it lasts) and seconds.
    InvalidSetting for a frame without these columns or with other things in them.
    """
    frames.check(frame, "assignment", *NEEDED)
    known = shading.read(faults, "assignment")
    if frame.empty or not frames.flags(frame, "owned").any():
        return nothing("No partition was assigned", frame[list(NEEDED)])
    times = frames.times(frame)
    clock = shading.clock(int(times.min()), int(times.max()), known)
    clock = Clock(clock.start, clock.end + (clock.end - clock.start) // 25)  # what lasts is seen
    held = _held(frame, times, clock.end)
    labels = words.partitions(held.partitions)
    axes = lanes.laid(labels)
    clock.draw(axes)
    _draw(axes, clock, held)
    heading = _heading(held, labels)
    entitle(axes, heading, shading.shade(axes, clock, known))
    said = _in_words(clock, held)
    return say(axes, _table(held), f"{heading}.", said, shading.told(clock, known))


def _held(frame: pd.DataFrame, times: Array, end: int) -> Held:
    frames.wholes(frame, "partition")
    partitions, of = frames.grouped(frame, "topic", "partition")
    owners, by = _owners(frame)
    events = from_events(of * len(owners) + by, times, frames.flags(frame, "owned"))
    spans, lasting = events
    lane, by = np.divmod(spans.lane, len(owners))
    held = Spans(lane, spans.starts, np.where(lasting, end, spans.ends))
    return Held(partitions, owners, held, by, lasting)


def _owners(frame: pd.DataFrame) -> tuple[list[str], Array]:
    """Return the names of who owned something, by their client where that tells them apart."""
    processes, by = frames.grouped(frame, "process")
    if "client" in frame.columns:
        clients, of = frames.grouped(frame, "client")
        pairs = sorted(set(zip(by.tolist(), of.tolist(), strict=True)))
        if len(pairs) == len(processes) == len(clients):
            return [words.name(clients[client][0]) for _, client in pairs], by
    return [f"consumer {words.name(process)}" for (process,) in processes], by


def _table(held: Held) -> pd.DataFrame:
    nobody, free = len(held.owners), held.free
    rows = pd.DataFrame(
        {
            "lane": np.concatenate([held.held.lane, free.lane]),
            "by": np.concatenate([held.by, np.full(len(free), nobody)]),
            "start": np.concatenate([held.held.starts, free.starts]),
            "end": np.concatenate([held.held.ends, free.ends]),
            "lasting": np.concatenate([held.lasting, np.zeros(len(free), bool)]),
        }
    ).sort_values(["lane", "start"], ignore_index=True)
    own = [held.partitions[lane] for lane in rows["lane"]]
    table = pd.DataFrame(own, columns=["topic", "partition"])
    table["owner"] = np.array([*held.owners, None], dtype=object)[rows["by"]]
    table["start"] = frames.moments(rows["start"])
    table["end"] = frames.moments(rows["end"]).where(~rows["lasting"])
    return table.assign(seconds=(rows["end"] - rows["start"]) / 1e9)


def _draw(axes: Chart, clock: Clock, held: Held) -> None:
    columns = max(8, MOST // len(held.partitions))
    kept = held.held.longest(clock.start, clock.end, columns)
    looks = [{**look.fill(n), "label": name} for n, name in enumerate(held.owners)]
    for owner, style in enumerate(looks):
        lanes.bars(axes, clock, held.held.at(kept[held.by[kept] == owner]), 0.6, **style)
    shared = held.shared.at(held.shared.longest(clock.start, clock.end, columns))
    wrong = {"facecolor": "none", "edgecolor": look.WRONG, "hatch": "xxx", "zorder": 3}
    lanes.bars(axes, clock, shared, 0.8, label="two owners", **wrong)
    lanes.time(axes, clock, held.free, "nobody")
    lanes.time(axes, clock, shared, "two owners", look.WRONG)
    thinned = f"the longest\nof {len(held.held):,} spans,\n" if len(kept) < len(held.held) else ""
    lanes.explain(axes, looks, f"{thinned}owned by")


def _heading(held: Held, labels: Sequence[str]) -> str:
    if len(held.shared):
        return _longest(held.shared, labels, "had two owners")
    if not len(held.free):
        return "Each partition had one owner all the time"
    if len(held.still) and held.still.seconds.max() > held.free.seconds.max() / 2:
        return _stood_still(held, labels)
    return _longest(held.free, labels, "had no owner")


def _longest(spans: Spans, labels: Sequence[str], said: str) -> str:
    place = int(spans.seconds.argmax())
    lasted = words.lasting(spans.seconds[place])
    return f"{words.begun(labels[spans.lane[place]])} {said} for {lasted}"


def _stood_still(held: Held, labels: Sequence[str]) -> str:
    which = {1: words.begun(labels[0]), 2: "Both partitions"}
    of = which.get(len(labels), f"All {len(labels):,} partitions")
    often = f", the longest of {len(held.still):,} times" if len(held.still) > 1 else ""
    return f"{of} stood still for {words.lasting(held.still.seconds.max())}{often}"


def _in_words(clock: Clock, held: Held) -> str:
    labels = words.partitions(held.partitions)
    told = [
        f"{words.count(len(labels), 'partition')} and {words.count(len(held.owners), 'consumer')} "
        f"over {words.lasting(clock.seconds)}, {words.count(len(held.held), 'assignment')}."
    ]
    for spans, said in ((held.free, "Without an owner"), (held.shared, "With two owners")):
        if len(spans):
            place = int(spans.seconds.argmax())
            told.append(
                f"{said}: {words.count(len(spans), 'time')}, the longest "
                f"{words.lasting(spans.seconds[place])} on {labels[spans.lane[place]]}, from "
                f"{clock.at(spans.starts[place])} on."
            )
    return f"{' '.join(told)} {_at_the_end(held)}"


def _at_the_end(held: Held) -> str:
    lanes_of = [set(held.held.lane[held.lasting & (held.by == n)]) for n in range(len(held.owners))]
    said = [f"{o} {len(own):,}" for o, own in zip(held.owners, lanes_of, strict=True) if own]
    without = len(held.partitions) - len(set().union(*lanes_of))
    return (
        f"Owned at the end: {words.listed([*said, *([f'nobody {without:,}'] if without else [])])}."
    )
