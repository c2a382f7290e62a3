"""The way of each record: from a producer to a partition, from there to each read of it.

Operations are rows `invoke`, and `ok`, `fail` or `info` (nobody knows) when an answer came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from eventlab.charts import frames, groups, inversions
from eventlab.charts.groups import Array
from eventlab.charts.spans import Spans, from_events

KINDS = ("acknowledged", "failed", "unknown", "read", "read again")
ACKNOWLEDGED, FAILED, UNKNOWN, READ, AGAIN = range(len(KINDS))
NEEDED = ("time", "process", "type", "f", "topic", "partition", "offset", "event_id")
READING = ("poll", "assign", "revoke", "seek", "commit")


@dataclass(frozen=True, slots=True)
class Arrows:
    """Records on their way: `who` sent or read them, `part` is -1 where nobody knows."""

    kind: Array
    who: Array
    part: Array
    offset: Array
    event_id: Array
    starts: Array
    ends: Array

    def __len__(self) -> int:
        """How many there are."""
        return len(self.kind)

    def at(self, places: Array) -> Arrows:
        """Return some of them."""
        return Arrows(*(getattr(self, name)[places] for name in Arrows.__slots__))

    def of(self, kind: int) -> Array:
        """Return the places of one kind."""
        return np.flatnonzero(self.kind == kind)

    def count(self, kind: int) -> int:
        """How many there are of one kind."""
        return int(np.count_nonzero(self.kind == kind))


@dataclass(frozen=True, slots=True)
class Journeys:
    """All that the diagram shows; a partition is its place in `parts`."""

    parts: list[tuple[Any, int]]
    producers: Array  # the processes that sent, and those that read or owned something
    consumers: Array
    arrows: Arrows
    owning: Spans  # by process: from the first partition assigned to the last one revoked
    commits: tuple[Array, Array]  # process and time
    clients: dict[int, Any]  # the name of each process, as far as it has one
    times: Array
    faults: pd.DataFrame


class Rows:
    """The columns of the operations, as numbers."""

    def __init__(self, frame: pd.DataFrame, times: Array) -> None:
        self.times = times
        self.process = frames.wholes(frame, "process", -1, missing=-1).astype("int32")
        self.parts, self.part = _parts(frame)
        self.offset = frames.wholes(frame, "offset", -2, missing=-1)  # a seek to the beginning
        self.event_id = frames.wholes(frame, "event_id", -1, missing=-1)
        self.place = groups.dense(self.event_id)
        self._f, self._type = _small(frame, "f"), _small(frame, "type")

    def where(self, column: str, *values: str) -> Array:
        """Say which rows have one of these values."""
        codes, known = self._f if column == "f" else self._type
        chosen = np.zeros(len(codes), bool)
        for code, value in enumerate(known):
            if value in values:
                chosen |= codes == code
        return chosen

    def by_event(self, rows: Array, values: Array, missing: int) -> Array:
        """Return a table of values by event, the first of each."""
        table = np.full(int(self.place.max()) + 1, missing)
        rows = rows[self.event_id[rows] >= 0][::-1]  # of two writes to a place the last one stays
        table[self.place[rows]] = values[rows]
        return table


def _small(frame: pd.DataFrame, name: str) -> tuple[Array, list[Any]]:
    codes, known = frames.codes(frame, name)
    return codes.astype("int8" if len(known) < 1 << 7 else "int64"), known


def read(frame: pd.DataFrame) -> Journeys:
    """Return what a frame of operations tells."""
    times = frames.times(frame)
    order = frames.in_time(times)
    if order is not None:
        frame, times = frame.iloc[order], times[order]
    rows = Rows(frame, times)
    own = _rows_of(rows.process)
    sends, reads = rows.where("f", "send"), rows.where("f", "poll") & rows.where("type", "ok")
    reads &= (rows.part >= 0) & (rows.offset >= 0)
    answered = rows.where("type", "ok", "fail", "info")
    outcome = _outcomes(rows, np.flatnonzero(sends & answered))
    landed = _landed(rows, np.flatnonzero(sends & rows.where("type", "ok")), np.flatnonzero(reads))
    by_group = _named(frame, "group_id", own) if "group_id" in frame.columns else None
    arrows = _joined(
        _sends(rows, np.flatnonzero(sends & ~answered), outcome, landed),
        _reads(rows, np.flatnonzero(reads), landed, by_group),
    )
    reading = rows.where("f", *READING)
    commits = np.flatnonzero(rows.where("f", "commit") & rows.where("type", "ok"))
    return Journeys(
        parts=rows.parts,
        producers=groups.known(rows.process[sends]),
        consumers=groups.known(rows.process[reading]),
        arrows=arrows,
        owning=_owning(rows),
        commits=(rows.process[commits], rows.times[commits]),
        clients=_named(frame, "client", own),
        times=rows.times,
        faults=_faults(frame, rows),
    )


def _faults(frame: pd.DataFrame, rows: Rows) -> pd.DataFrame:
    """Return the faults that are among the operations, a row each, until they were healed.

    What was broken, and of what, is their `error`, as "leader killed: broker 2".
    """
    of_faults = rows.where("f", "fault", "heal") & ~rows.where("type", "invoke")
    found: list[dict[str, Any]] = []
    for row in frame.iloc[np.flatnonzero(of_faults)].to_dict("records"):
        what, _, target = str(row.get("error") or row["f"]).partition(": ")
        told = {"fault": what, "target": target or str(row.get("client") or "")}
        if row["f"] == "fault":
            found.append({"start": row["time"], "end": pd.NaT, **told})
            continue
        for fault in found:
            if fault["end"] is pd.NaT and told.items() <= fault.items():
                fault["end"] = row["time"]
    return pd.DataFrame(found, columns=["start", "end", "fault", "target"])


def _parts(frame: pd.DataFrame) -> tuple[list[tuple[Any, int]], Array]:
    """Return the (topic, partition) there are, and of which each row is, -1 for none."""
    topics, names = frames.codes(frame, "topic")
    partition = frames.wholes(frame, "partition", -1, missing=-1)
    most = int(partition.max()) + 1
    key = np.where((topics < 0) | (partition < 0), -1, topics * most + partition)
    places, keys = groups.codes(key)
    none = int(keys[0] < 0)  # -1 sorts first, and stays -1
    found = [(names[key // most], int(key % most)) for key in keys[none:]]
    return found, (places - none).astype("int32")


def _outcomes(rows: Rows, answers: Array) -> Array:
    """Return the row of the answer to the send of each event, -1 where none came."""
    return rows.by_event(answers, np.arange(len(rows.times)), -1)


def _landed(rows: Rows, acknowledged: Array, reads: Array) -> Array:
    """Return when the record of each event was in its partition for certain, -1 for never.

    A consumer can have a record before its producer has the acknowledgement.
    """
    known = rows.by_event(acknowledged, rows.times, -1)
    seen = rows.by_event(reads, rows.times, -1)
    return np.where((known < 0) | ((seen >= 0) & (seen < known)), seen, known)


def _sends(rows: Rows, sends: Array, outcome: Array, landed: Array) -> Arrows:
    answer = outcome[rows.place[sends]]
    kind = np.full(len(sends), UNKNOWN, "int8")
    kind[(answer >= 0) & rows.where("type", "ok")[answer]] = ACKNOWLEDGED
    kind[(answer >= 0) & rows.where("type", "fail")[answer]] = FAILED
    told = np.where(answer >= 0, answer, sends)
    part = np.where(rows.part[told] >= 0, rows.part[told], rows.part[sends])
    ends = np.where(kind == ACKNOWLEDGED, landed[rows.place[sends]], rows.times[told])
    starts = np.minimum(rows.times[sends], ends)
    ids = rows.event_id[sends]
    return Arrows(kind, rows.process[sends], part, rows.offset[told], ids, starts, ends)


def _reads(rows: Rows, reads: Array, landed: Array, named: dict[int, Any] | None) -> Arrows:
    who, ends = rows.process[reads], rows.times[reads]
    begun = np.where(rows.event_id[reads] >= 0, landed[rows.place[reads]], -1)
    starts = np.where((begun < 0) | (begun > ends), ends, begun)
    part, offset = rows.part[reads], rows.offset[reads]
    kind = np.full(len(reads), READ, "int8")
    if len(reads):
        record = groups.pairs(groups.pairs(part, offset), _readers(who, named))
        kind[inversions.repeated(record)] = AGAIN
    return Arrows(kind, who, part, offset, rows.event_id[reads], starts, ends)


def _readers(who: Array, named: dict[int, Any] | None) -> Array:
    """Return for each read for whom it was: each group, and who has none, reads a record once."""
    places, known = groups.codes(who)
    if named is None:  # nobody said who belongs together
        return np.zeros(len(who), "int64")
    names = [named.get(process, (process,)) for process in known.tolist()]
    return np.array([names.index(name) for name in names])[places]


def _rows_of(process: Array) -> dict[int, int]:
    """Return a row of each process."""
    places, known = groups.codes(process)
    rows = np.empty(len(known), "int64")
    rows[places] = np.arange(len(places))
    return dict(zip(known.tolist(), rows.tolist(), strict=True))


def _named(frame: pd.DataFrame, column: str, own: dict[int, int]) -> dict[int, Any]:
    """Return what a column says of each process, where it says anything."""
    if column not in frame.columns:
        return {}
    values = frame[column].iloc[list(own.values())]
    told = zip(own, values, values.notna(), strict=True)
    return {process: value for process, value, is_known in told if is_known and value != ""}


def _joined(sends: Arrows, reads: Arrows) -> Arrows:
    names = Arrows.__slots__
    both = (np.concatenate([getattr(sends, name), getattr(reads, name)]) for name in names)
    return Arrows(*both)


def _owning(rows: Rows) -> Spans:
    """Return from when to when each process owned any partition."""
    events = np.flatnonzero(rows.where("f", "assign", "revoke") & ~rows.where("type", "invoke"))
    if not len(events):
        return Spans(*(np.zeros(0, "int64") for _ in range(3)))
    process, of = np.unique(rows.process[events], return_inverse=True)
    lane = of * (len(rows.parts) + 1) + rows.part[events] + 1
    held, lasting = from_events(lane, rows.times[events], rows.where("f", "assign")[events])
    ends = np.where(lasting, rows.times.max(), held.ends)
    between, depth = Spans(held.lane // (len(rows.parts) + 1), held.starts, ends).covered()
    some = between.at(depth > 0).joined()
    return Spans(process[some.lane], some.starts, some.ends)
