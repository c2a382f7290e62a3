"""Spans of time in lanes: from events to spans, and how many of them cover each moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eventlab.charts import groups
from eventlab.charts.groups import Array


@dataclass(frozen=True, slots=True)
class Spans:
    """From when to when, in nanoseconds, and in which lane."""

    lane: Array
    starts: Array
    ends: Array

    def __len__(self) -> int:
        """How many there are."""
        return len(self.lane)

    @property
    def seconds(self) -> Array:
        """How long each lasts."""
        return (self.ends - self.starts) / 1e9

    def at(self, places: Array) -> Spans:
        """Return some of them."""
        return Spans(self.lane[places], self.starts[places], self.ends[places])

    def together(self) -> Spans:
        """Return them all in one lane."""
        return Spans(np.zeros_like(self.lane), self.starts, self.ends)

    def joined(self) -> Spans:
        """Return them with those that touch in a lane as one; they come in the order of time."""
        order = np.argsort(self.lane, kind="stable")
        lane, starts, ends = self.lane[order], self.starts[order], self.ends[order]
        apart = (lane[1:] != lane[:-1]) | (starts[1:] != ends[:-1])
        first = np.append(True, apart)[: len(lane)]
        return Spans(lane[first], starts[first], ends[np.append(apart, True)[: len(lane)]])

    def covered(self) -> tuple[Spans, Array]:
        """Return the spans between any two changes of a lane, and how many cover each of them."""
        lane = np.concatenate([self.lane, self.lane])
        times = np.concatenate([self.starts, self.ends])
        steps = np.repeat([1, -1], len(self))
        order = np.lexsort((times, lane))
        lane, times, depth = lane[order], times[order], np.cumsum(steps[order])
        inner = np.flatnonzero((lane[1:] == lane[:-1]) & (times[1:] > times[:-1]))
        return Spans(lane[inner], times[inner], times[inner + 1]), depth[inner]

    def longest(self, first: int, last: int, columns: int) -> Array:
        """Return the places of the longest of those that begin in each of so many columns."""
        if len(self) <= columns:
            return np.arange(len(self))
        column = ((self.starts - first) * (columns / max(1, last - first + 1))).astype("int64")
        of = groups.codes(self.lane)[0] * columns + column
        return groups.longest(of, self.ends - self.starts)


def from_events(lane: Array, times: Array, on: Array) -> tuple[Spans, Array]:
    """Return the spans between events that switch a lane on and off, and which never ended.

    An event that changes nothing is ignored. What never ended ends with the last event of all.
    """
    order = np.lexsort((times, lane))
    lane, times, on = lane[order], times[order], on[order]
    first = np.append(True, lane[1:] != lane[:-1])
    changes = np.flatnonzero(on != (np.append(False, on[:-1]) & ~first))
    last = times.max()
    lane, times, on = lane[changes], times[changes], on[changes]
    starts = np.flatnonzero(on)
    lasting = np.append(lane[1:], -1)[starts] != lane[starts]
    ends = np.where(lasting, last, np.append(times[1:], last)[starts])
    return Spans(lane[starts], times[starts], ends), lasting
