"""What a check found: a kind of anomaly, how often, where, and the first cases of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from eventlab.history.judge.identify import Identified
from eventlab.history.tables import Column, Evidence

MOST = 32  # witnesses of a kind

Note = Callable[[int], str]


def nothing(row: int) -> str:
    """Say nothing more about a case."""
    return ""


@dataclass(frozen=True)
class Finding:
    """An anomaly; `allowed` says why it is none here, and is empty where nothing excuses it.

    `witnesses` has the columns part, offset, event, process, time and note.
    """

    kind: str
    allowed: str
    count: int
    part: Column
    offset: Column
    witnesses: pd.DataFrame


def finding(
    kind: str,
    allowed: str,
    rows: Column,
    part: Column,
    offset: Column,
    note: Note = nothing,
    **columns: Column,
) -> list[Finding]:
    """Return a finding about these rows of columns, or nothing when there is no row.

    `columns` are event, process and time, of the first MOST rows alone.
    """
    if not len(rows):
        return []
    first = rows[:MOST]
    table = {"part": part[rows[:MOST]], "offset": offset[first], "event": -1, "process": -1}
    notes = [note(int(row)) for row in first]
    frame = pd.DataFrame({**table, "time": -1, **columns, "note": notes})
    return [Finding(kind, allowed, len(rows), part[rows], offset[rows], frame)]


def of_sends(
    kind: str, evidence: Evidence, rows: Column, allowed: str = "", note: Note = nothing
) -> list[Finding]:
    """Return a finding about sends."""
    sends, first = evidence.sends, rows[:MOST]
    about = {"event": first, "process": sends.process[first], "time": sends.time[first]}
    return finding(kind, allowed, rows, sends.part, sends.offset, note, **about)


def of_log(
    kind: str,
    evidence: Evidence,
    seen: Identified,
    rows: Column,
    allowed: str = "",
    note: Note = nothing,
) -> list[Finding]:
    """Return a finding about records of the log."""
    log, first = seen.log, rows[:MOST]
    event = seen.event[first]
    sender = np.append(evidence.sends.process, -1)[np.maximum(event, -1)]
    about = {"event": event, "process": sender, "time": log.time[first] * 1_000_000}
    return finding(kind, allowed, rows, log.part, log.offset, note, **about)


def of_events(
    kind: str, evidence: Evidence, rows: Column, allowed: str = "", note: Note = nothing
) -> list[Finding]:
    """Return a finding about commits, assignments, handlers and faults."""
    events, first = evidence.events, rows[:MOST]
    about = {"process": events.process[first], "time": events.begun[first]}
    return finding(kind, allowed, rows, events.part, events.number, note, **about)


def split(rows: Column, excused: Column) -> tuple[Column, Column]:
    """Return the rows that nothing excuses, and those that something does."""
    return rows[~excused], rows[excused]


def setting(evidence: Evidence, name: str, default: object) -> Column:
    """Return a setting of each process."""
    return np.array([process.settings.get(name, default) for process in evidence.processes])
