"""What handlers did with what was read, I10, and that things go on after a fault, I13."""

from __future__ import annotations

import numpy as np

from eventlab.history.judge.finding import Finding, finding, of_events, of_log
from eventlab.history.judge.identify import Identified
from eventlab.history.judge.reading import Deliveries, teams
from eventlab.history.tables import COMMIT, HANDLE, HEAL, OK, Column, Evidence

Effects = tuple[Column, Column]  # partition and offset of the record that each effect is of

NEVER = np.iinfo(np.int64).max


def check(evidence: Evidence, read: Deliveries, effects: Effects | None) -> list[Finding]:
    """Compare the effects with the records they are of."""
    findings = _of_table(evidence, read.seen, *effects) if effects else []
    if (evidence.events.what == HANDLE).any():
        for title, members in teams(evidence):
            findings += _of_handlers(evidence, read, members, title)
    return findings


def _of_table(evidence: Evidence, seen: Identified, part: Column, offset: Column) -> list[Finding]:
    """I10: each record of the run has one effect."""
    row = seen.index.rows(part, offset)
    times = np.bincount(row[row >= 0], minlength=len(seen.event))
    ours = (seen.event >= 0) & ~seen.copy
    if len(part):  # the table is of some topics
        topics = [topic for topic, _ in evidence.parts]
        there = {topics[number] for number in np.unique(part)}
        ours &= np.array([topic in there for topic in topics])[seen.log.part]

    def why(effect: int) -> str:
        return "an effect of a record that is not there"

    return [
        *_counted(evidence, seen, np.flatnonzero(ours & (times == 0)), times, ""),
        *_counted(evidence, seen, np.flatnonzero(times > 1), times, ""),
        *finding("phantom", "", np.flatnonzero(row < 0), part, offset, why),
    ]


def _of_handlers(
    evidence: Evidence, read: Deliveries, members: Column, title: str
) -> list[Finding]:
    """I10: each record that a group was given is handled once, and before it is committed."""
    events, seen = evidence.events, read.seen
    mine = np.isin(events.process, members) & (events.outcome == OK)
    done = np.flatnonzero(mine & (events.what == HANDLE))
    if not len(done):
        return []
    row = seen.index.rows(events.part[done], events.number[done])
    done, row = done[row >= 0], row[row >= 0]
    times = np.bincount(row, minlength=len(seen.event))
    handled = np.full(len(times), NEVER)
    np.minimum.at(handled, row, events.ended[done])
    given = _given(read, members)
    commits = np.flatnonzero(mine & (events.what == COMMIT))
    covered = _covered(evidence, seen, commits)
    early = (given <= covered) & (covered < handled)  # not what was read again after a commit
    return [
        *_counted(evidence, seen, np.flatnonzero((given < NEVER) & (times == 0)), times, title),
        *_counted(evidence, seen, np.flatnonzero(times > 1), times, title),
        *of_log("committed early", evidence, seen, np.flatnonzero(early), note=lambda row: title),
    ]


def _given(read: Deliveries, members: Column) -> Column:
    """Return when these processes were first given each record of the log."""
    table, given = read.evidence.reads, np.full(len(read.seen.event), NEVER)
    mine = np.repeat(np.isin(table.process, members), table.count) & (read.row >= 0)
    np.minimum.at(given, read.row[mine], np.repeat(table.time, table.count)[mine])
    return given


def _covered(evidence: Evidence, seen: Identified, commits: Column) -> Column:
    """Return when each record of the log was first committed."""
    events, log = evidence.events, seen.log
    covered = np.full(len(log.part), NEVER)
    for part in np.unique(events.part[commits]):
        rows = slice(*np.searchsorted(log.part, [part, part + 1]))
        here = commits[events.part[commits] == part]
        here = here[np.argsort(events.number[here], kind="stable")]
        first = np.minimum.accumulate(np.append(events.begun[here], NEVER)[::-1])[::-1]
        beyond = np.searchsorted(events.number[here], log.offset[rows], side="right")
        covered[rows] = first[beyond]
    return covered


def _counted(
    evidence: Evidence, seen: Identified, rows: Column, times: Column, title: str
) -> list[Finding]:
    def often(row: int) -> str:
        return f"{times[row]} effects" + (f" by {title}" if title else "")

    kind = "effect doubled" if len(rows) and times[rows[0]] else "effect missing"
    return of_log(kind, evidence, seen, rows, note=often)


def progress(evidence: Evidence, within: float) -> list[Finding]:
    """I13: so many seconds after a fault is mended, at the latest, something is acknowledged."""
    events, sends = evidence.events, evidence.sends
    if not (events.what == HEAL).any():
        return []
    acked = np.sort(sends.ended[sends.outcome == OK])
    last = max(column.max(initial=0) for column in (events.ended, sends.time, sends.ended))
    stalled: list[int] = []
    waited: dict[int, float] = {}
    for row in np.flatnonzero(events.what == HEAL).tolist():
        healed = events.begun[row]
        waiting = (sends.ended == 0) | (sends.ended > healed)
        tried = np.maximum(sends.time[waiting], healed).min(initial=NEVER)
        after = acked[acked > healed].min(initial=last)
        if tried != NEVER and after - tried > within * 1e9:
            stalled.append(row)
            waited[row] = (after - tried) / 1e9
    note = "nothing acknowledged for {:.1f} s".format
    rows = np.array(stalled, np.int64)
    return of_events("stalled", evidence, rows, note=lambda row: note(waited[row]))
