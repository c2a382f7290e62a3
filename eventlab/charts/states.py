"""The states of partitions, out of samples: from when to when who led, and who was in sync."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from eventlab.charts import frames, groups
from eventlab.charts.groups import Array
from eventlab.charts.shading import Fault
from eventlab.errors import InvalidSetting, shown

NOBODY = -1


@dataclass(frozen=True, slots=True)
class State:
    """What a partition, the n-th of them, was like from the sample at start to the one at end."""

    lane: int
    start: int
    end: int
    leader: int
    epoch: int
    isr: tuple[int, ...]
    replicas: tuple[int, ...]

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.end - self.start) / 1e9


@dataclass(frozen=True, slots=True)
class Move:
    """A leader that another broker followed, and the fault that it followed upon."""

    lane: int
    at: int
    before: int
    after: int
    fault: Fault | None

    @property
    def seconds(self) -> float:
        """How long after the fault the new leader was seen; 0 without one."""
        return (self.at - self.fault.start) / 1e9 if self.fault else 0.0


def read(frame: pd.DataFrame) -> tuple[list[tuple[Any, ...]], list[State]]:
    """Return the (topic, partition) there are, sorted, and their states in the order of time."""
    times = frames.times(frame)
    leader, epoch = (frames.wholes(frame, name, NOBODY) for name in ("leader", "leader_epoch"))
    frames.wholes(frame, "partition")
    owners, of = frames.grouped(frame, "topic", "partition")
    isr = frame["isr"].to_numpy(dtype=object)
    replicas = frame["replicas"].to_numpy(dtype=object) if "replicas" in frame.columns else isr
    found: list[State] = []
    for lane, rows in enumerate(groups.split(of, len(owners))):
        order = frames.in_time(times[rows])
        rows = rows if order is None else rows[order]
        changes = [0, *np.flatnonzero(_changed(leader[rows], epoch[rows], isr[rows])) + 1]
        ends = [*times[rows[changes[1:]]], times[rows[-1]]]
        for row, end in zip(rows[changes], ends, strict=True):
            numbers = (int(times[row]), int(end), int(leader[row]), int(epoch[row]))
            _add(found, State(lane, *numbers, _nodes(isr[row]), _nodes(replicas[row])))
    return owners, found


def _changed(leader: Array, epoch: Array, isr: Array) -> Array:
    """Say which rows differ from the one before."""
    numbers: Array = (leader[1:] != leader[:-1]) | (epoch[1:] != epoch[:-1])
    try:
        return np.asarray(numbers | (isr[1:] != isr[:-1]).astype(bool))
    except ValueError:  # of arrays
        return np.full(len(numbers), True)


def _nodes(value: Any) -> tuple[int, ...]:
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        nodes = list(value)
        if all(isinstance(node, int | np.integer) for node in nodes):
            return tuple(sorted(int(node) for node in nodes))
    raise InvalidSetting(
        "The columns isr and replicas hold tuples of node ids.",
        f"One of their values is {shown(value)}.",
        "Give each row a tuple of whole numbers, as (1, 2, 3).",
    )


def _add(found: list[State], state: State) -> None:
    """Add a state, or prolong the one before if only the order of its ISR is another."""
    if found and _same(found[-1], state):
        found[-1] = replace(found[-1], end=state.end)
    else:
        found.append(state)


def _same(one: State, other: State) -> bool:
    return (one.lane, one.leader, one.epoch, one.isr) == (
        other.lane,
        other.leader,
        other.epoch,
        other.isr,
    )


def moves(states: Sequence[State], faults: Sequence[Fault]) -> list[Move]:
    """Return the changes of leader, each with the latest fault that the old leader was hit by."""
    found: list[Move] = []
    last: dict[int, int] = {}
    for state in states:
        before = last.get(state.lane, state.leader)
        if state.leader not in (NOBODY, before) and before != NOBODY:
            fits = [f for f in faults if f.start <= state.start and before in (f.nodes or [before])]
            fault = fits[-1] if fits else None
            found.append(Move(state.lane, state.start, before, state.leader, fault))
        if state.leader != NOBODY:
            last[state.lane] = state.leader
    return found


def replicas(states: Sequence[State]) -> dict[int, int]:
    """Return how many replicas each partition has, as far as they were seen."""
    found: dict[int, int] = {}
    for state in states:
        seen = max(len(state.isr), len(state.replicas))
        found[state.lane] = max(found.get(state.lane, 0), seen)
    return found


def leaderless(states: Sequence[State]) -> list[State]:
    """Return from when to when a partition had no leader, whatever else changed meanwhile."""
    found: list[State] = []
    for state in states:
        if state.leader == NOBODY:
            before = found[-1] if found else None
            if before and (before.lane, before.end) == (state.lane, state.start):
                found[-1] = replace(before, end=state.end)
            else:
                found.append(state)
    return found


def table(owners: Sequence[tuple[Any, ...]], states: Sequence[State]) -> pd.DataFrame:
    """Return the states as rows; the last of a partition ends with its last sample."""
    frame = pd.DataFrame([owners[s.lane] for s in states], columns=["topic", "partition"])
    for name in ("start", "end"):
        frame[name] = frames.moments(np.array([getattr(state, name) for state in states]))
    frame["seconds"] = [state.seconds for state in states]
    frame["leader"] = [state.leader for state in states]
    frame["leader_epoch"] = [state.epoch for state in states]
    frame["isr"] = [state.isr for state in states]
    return frame
