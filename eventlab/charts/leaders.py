"""Leadership: leader, in-sync replicas and epoch of each partition over time, and the faults.

A partition has one leader, whose epoch rises with each election; its ISR are the replicas that
have all that is committed (https://kafka.apache.org/44/design/design/#replication).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from eventlab.charts import frames, lanes, look, shading, states, words
from eventlab.charts.chart import Chart, entitle, legend, nothing, say
from eventlab.charts.clock import Clock
from eventlab.charts.spans import Spans
from eventlab.charts.states import NOBODY, Move, State

NEEDED = ("time", "topic", "partition", "leader", "leader_epoch", "isr")
DRAWN = 8  # partitions, those that changed most
MOST = 200  # bars of leaders, and as many of others
EPOCH = 0.11  # of the width, that an epoch takes
SAID = 4  # moves that the words go through one by one


def leadership(frame: pd.DataFrame, *, faults: pd.DataFrame | None = None) -> Axes:
    """Draw the leader, the in-sync replicas and the epoch of each partition over time.

    Columns, one row a partition and sample: `time`, `topic`, `partition`, `leader` (a node_id, -1
    for none), `leader_epoch`, `isr` (a tuple of node_ids) and perhaps `replicas`. A state lasts
    until the sample that shows another. Of many partitions the eight that changed most are drawn.
    The table has a row for each state: topic, partition, start, end, seconds, leader,
    leader_epoch, isr.
    InvalidSetting for a frame without these columns or with other things in them.
    """
    frames.check(frame, "leadership", *NEEDED)
    known = shading.read(faults, "leadership")
    if frame.empty:
        return nothing("There is no partition to show", frame[list(NEEDED)])
    owners, found = states.read(frame)
    clock = shading.clock(min(s.start for s in found), max(s.end for s in found), known)
    labels = words.partitions(owners)
    shown = _most_changed(found)
    drawn = [state for state in found if state.lane in shown]
    rows = {place: row for row, place in enumerate(_rows(drawn, shown)) if place}
    axes = lanes.laid(_row_names(rows, labels), each=0.27)
    clock.draw(axes)
    _draw(axes, clock, drawn, rows)
    _explain(axes, len(shown), len(labels))
    moved = states.moves(found, known)
    heading = _heading(clock, found, moved, labels)
    entitle(axes, heading, shading.shade(axes, clock, known))
    said = _in_words(clock, found, moved, labels) + _not_drawn(len(labels) - len(shown))
    table = states.table(owners, found)
    return say(axes, table, f"{heading}.", said, shading.told(clock, known))


def _most_changed(found: Sequence[State]) -> list[int]:
    """Return the partitions that changed leader most often, or else anything most often."""
    leaders: dict[int, set[int]] = {}
    for state in found:
        leaders.setdefault(state.lane, set()).add(state.leader)
    changes = np.bincount([state.lane for state in found])
    order = sorted(leaders, key=lambda lane: (-len(leaders[lane]), -int(changes[lane])))
    return sorted(order[:DRAWN])


def _rows(found: Sequence[State], shown: Sequence[int]) -> list[tuple[int, int] | None]:
    """Return (partition, broker) of each row, and None between two partitions."""
    rows: list[tuple[int, int] | None] = []
    for lane in shown:
        own = [state for state in found if state.lane == lane]
        nodes = {node for s in own for node in (*s.isr, *s.replicas, s.leader)} - {NOBODY}
        rows += [*([None] if rows else []), *((lane, node) for node in sorted(nodes))]
    return rows


def _row_names(rows: dict[tuple[int, int], int], labels: Sequence[str]) -> list[str]:
    names = [""] * (max(rows.values()) + 1)
    first: set[int] = set()
    for (lane, node), row in rows.items():
        names[row] = f"broker {node}" if lane in first else f"{labels[lane]}   broker {node}"
        first.add(lane)
    return names


def _draw(
    axes: Chart, clock: Clock, found: Sequence[State], rows: dict[tuple[int, int], int]
) -> None:
    for node in sorted({node for _, node in rows}):
        leads = [(rows[s.lane, node], s) for s in found if s.leader == node]
        follows = [(rows[s.lane, node], s) for s in found if node in s.isr and s.leader != node]
        style = look.broker(node)
        _bars(axes, clock, leads, 0.72, **style | {"label": f"broker {node} leads"})
        _bars(axes, clock, follows, 0.2, **style | {"label": f"broker {node} in sync", "hatch": ""})
    for lane in {lane for lane, _ in rows}:
        own = [row for (of, _), row in rows.items() if of == lane]
        nobody = [(sum(own) / len(own), s) for s in found if s.lane == lane and s.leader == NOBODY]
        wrong = {"facecolor": "none", "edgecolor": look.WRONG, "hatch": "xx", "zorder": 3}
        spans = _bars(axes, clock, nobody, len(own) - 0.2, label="no leader", **wrong)
        lanes.time(axes, clock, spans, "no leader", look.WRONG)
    _write_epochs(axes, clock, found, rows)


def _bars(
    axes: Chart, clock: Clock, placed: Sequence[tuple[float, State]], high: float, **style: Any
) -> Spans:
    spans = Spans(
        np.array([row for row, _ in placed], dtype=float),
        np.array([state.start for _, state in placed], dtype="int64"),
        np.array([state.end for _, state in placed], dtype="int64"),
    ).joined()
    columns = max(8, MOST // len(set(spans.lane.tolist()) or {0}))
    kept = spans.at(spans.longest(clock.start, clock.end, columns))
    lanes.bars(axes, clock, kept, high, **style)
    return kept


def _write_epochs(
    axes: Chart, clock: Clock, found: Sequence[State], rows: dict[tuple[int, int], int]
) -> None:
    """Write the epoch where a leader begins to lead, if it leads long enough."""
    terms: dict[tuple[int, int, int], list[State]] = {}
    for state in found:
        terms.setdefault((state.lane, state.leader, state.epoch), []).append(state)
    for (lane, leader, epoch), term in terms.items():
        share = (term[-1].end - term[0].start) / max(1, clock.end - clock.start)
        if leader != NOBODY and (share >= EPOCH or clock.start == clock.end):
            x, last = float(clock(term[0].start)), float(clock(clock.end))
            place = 0.0 if clock.start == clock.end else x + 0.012 * last
            style = {"ha": "center" if clock.start == clock.end else "left"}
            lanes.write(axes, f"epoch {epoch}", place, rows[lane, leader], **style)


def _explain(axes: Chart, shown: int, of: int) -> None:
    looks = (("leads", 8.0), ("in sync (ISR)", 2.5), ("out of the ISR", 0.8))
    handles = [
        Line2D([], [], color=look.REST if wide < 1 else look.QUIET, linewidth=wide, label=label)
        for label, wide in looks
    ]
    title = f"the {shown} of {of:,}\nthat changed most" if shown < of else ""
    legend(axes, title, handles=handles)


def _heading(
    clock: Clock, found: Sequence[State], moved: Sequence[Move], labels: Sequence[str]
) -> str:
    last = {state.lane: state.leader for state in found}
    lost = states.leaderless(found)
    for worst in sorted(lost, key=lambda state: -state.seconds):
        if last[worst.lane] == NOBODY or not moved:
            lasted = words.lasting(worst.seconds)
            return f"{words.begun(labels[worst.lane])} had no leader for {lasted}"
    if len(moved) == 1:
        return words.begun(_one(moved[0], labels))
    if moved:
        return _of_moves(moved)
    whole = states.replicas(found)
    shrunk = [state for state in found if len(state.isr) < whole[state.lane]]
    if shrunk:
        few = min(shrunk, key=lambda state: len(state.isr))
        said = f"{len(few.isr)} of {whole[few.lane]} in sync on {labels[few.lane]}"
        return f"No leader changed; at the worst {said}"
    if clock.start == clock.end:
        return f"{words.count(len(labels), 'partition')} seen once, each with a leader"
    return f"No leader and no ISR changed in {words.lasting(clock.seconds)}"


def _of_moves(moved: Sequence[Move]) -> str:
    number = len({move.lane for move in moved})
    said = f"{words.count(number, 'partition')} changed leader"
    if len(moved) > number:
        said = f"{said}, {len(moved):,} times in all"
    after = [move.seconds for move in moved if move.fault]
    return f"{said}, up to {words.lasting(max(after))} after the fault" if after else said


def _one(move: Move, labels: Sequence[str]) -> str:
    said = f"broker {move.after} took over {labels[move.lane]} from broker {move.before}"
    if move.fault is None:
        return said
    return f"{said}, {words.lasting(move.seconds)} after {move.fault.what}"


def _in_words(
    clock: Clock, found: Sequence[State], moved: Sequence[Move], labels: Sequence[str]
) -> str:
    told = [f"{words.count(len(labels), 'partition')} over {words.lasting(clock.seconds)}."]
    told += [f"At {clock.at(move.at)} {_one(move, labels)}." for move in moved[:SAID]]
    if len(moved) > SAID:
        told.append(f"There were {len(moved) - SAID:,} more changes of a leader.")
    for lane in _most_changed(found)[:SAID]:
        told.append(_history(labels[lane], [s for s in found if s.lane == lane]))
    return " ".join(told)


def _history(label: str, own: Sequence[State]) -> str:
    first, last = own[0].epoch, own[-1].epoch
    epoch = f"epoch {first}" if first == last else f"epoch {first} to {last}"
    fewest = min(len(state.isr) for state in own)
    isr = f"ISR {_ids(own[0].isr)} at first, {_ids(own[-1].isr)} at last, {fewest} at its smallest"
    if own[0].isr == own[-1].isr:
        isr = f"ISR {_ids(own[0].isr)} at first and at last, {fewest} at its smallest"
    nobody = sum(state.seconds for state in own if state.leader == NOBODY)
    lost = f", no leader for {words.lasting(nobody)}" if nobody else ""
    return f"{words.begun(label)}: {epoch}, {isr}{lost}."


def _ids(nodes: Sequence[int]) -> str:
    return f"({', '.join(map(str, nodes))})"


def _not_drawn(number: int) -> str:
    return f" Not drawn: {words.count(number, 'partition')} with fewer changes." if number else ""
