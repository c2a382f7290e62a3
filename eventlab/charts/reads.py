"""Reads out of a DataFrame, each with its kind: in order, overtaken within what, read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from eventlab.charts import frames, groups
from eventlab.charts.groups import Array
from eventlab.charts.inversions import KINDS, classify
from eventlab.errors import InvalidSetting


@dataclass(frozen=True, slots=True)
class Reads:
    """Reads in their order; a partition is its place in `owners`, which are (topic, partition)."""

    owners: list[tuple[Any, ...]]
    partition: Array
    produced: Array
    key: Array
    kinds: Array
    unknown: int  # reads of what nobody knows the order of
    producer: Array | None  # whose order it is, None where all are of one


def check(frame: pd.DataFrame) -> None:
    """Refuse what has no such columns."""
    key = "key_id" if isinstance(frame, pd.DataFrame) and "key_id" in frame.columns else "key"
    frames.check(frame, "ordering", "partition", key, "producer_seq")


def read(frame: pd.DataFrame) -> Reads | None:
    """Return the reads whose place in the order of producing is known; None without any."""
    produced = frames.wholes(frame, "producer_seq", -1, missing=-1)
    known = produced >= 0
    unknown = len(known) - int(np.count_nonzero(known))
    if unknown == len(known):
        return None
    if unknown:
        frame, produced = frame[known], produced[known]
    frames.wholes(frame, "partition")
    topic = ("topic",) if "topic" in frame.columns else ()
    owners, partition = frames.grouped(frame, *topic, "partition")
    key, identity = _keys(frame), _identity(frame, partition)
    producer = _producers(frame, produced, identity)
    kinds = classify(produced, partition, key, identity, producer)
    owners = [("", *owner)[-2:] for owner in owners]
    return Reads(owners, partition, produced, key, kinds, unknown, producer)


def _keys(frame: pd.DataFrame) -> Array:
    if "key" in frame.columns:  # somebody has put it there: a history has key_id
        return frames.codes(frame, "key")[0]
    return frames.wholes(frame, "key_id", -1, missing=-1)


def _producers(frame: pd.DataFrame, produced: Array, events: Array) -> Array | None:
    """Return who produced each record, None where there is one order of producing."""
    if "producer" in frame.columns:
        found, of = frames.grouped(frame, "producer")
        return of if len(found) > 1 else None
    if "event_id" in frame.columns:
        _check_order(produced, events)
    return None


def _check_order(produced: Array, events: Array) -> None:
    """Refuse two events in one place of the order of producing: it is the order of two producers.

    An inversion of a key across producers would be a false alarm.
    """
    place = groups.dense(produced)
    if np.bincount(place).max() == 1:
        return
    event = np.empty(int(place.max()) + 1, events.dtype)
    event[place] = events
    other = np.flatnonzero((event[place] != events) & (events >= 0) & (event[place] >= 0))
    if len(other):
        row = int(other[0])
        raise InvalidSetting(
            "Two events have the same producer_seq, as each producer counts its own.",
            f"{produced[row]} is that of event {events[row]} and of event {event[place[row]]}.",
            'Say who sent it: frame["producer"] = ..., as run.reads() does.',
        )


def _identity(frame: pd.DataFrame, partition: Array) -> Array:
    """Return numbers that are the same for the same record, -1 where nobody knows."""
    if "event_id" in frame.columns:
        return frames.wholes(frame, "event_id", -1, missing=-1)
    if "offset" in frame.columns:
        return groups.pairs(partition, frames.wholes(frame, "offset"))
    return np.full(len(frame), -1)


def table(found: Reads) -> pd.DataFrame:
    """Return a row for each partition: how many reads of each kind."""
    parts = len(found.owners)
    both = found.partition * len(KINDS) + found.kinds
    counts = np.bincount(both, minlength=parts * len(KINDS)).reshape(parts, len(KINDS))
    rows = pd.DataFrame(found.owners, columns=["topic", "partition"])
    rows["reads"] = counts.sum(axis=1)
    rows[list(KINDS)] = counts
    return rows if (rows["topic"] != "").any() else rows.drop(columns="topic")
