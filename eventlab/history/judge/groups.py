"""What the members of a group owe each other, I9: one owner each, and commits that go forward."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from eventlab.history.judge.finding import Finding, of_events, split
from eventlab.history.judge.identify import Identified
from eventlab.history.judge.order import by_group
from eventlab.history.tables import ASSIGN, COMMIT, OK, REVOKE, SEEK, Column, Evidence

ZOMBIE = "their generations differ: the first did not know yet that it had been replaced"
SOUGHT = "its consumer had been told to go on elsewhere"


def check(evidence: Evidence, seen: Identified) -> list[Finding]:
    """Compare what the members of each group owned and committed."""
    return [*_owners(evidence), *_back(evidence), *_ahead(evidence, seen)]


def _owners(evidence: Evidence) -> list[Finding]:
    """Return the assignments of partitions that another member had not given up."""
    events, groups = evidence.events, evidence.groups
    owners: dict[tuple[str | None, int], dict[int, int]] = {}
    rows, excused, notes = [], [], {}
    for row in np.flatnonzero(np.isin(events.what, (ASSIGN, REVOKE))).tolist():
        process, part = int(events.process[row]), int(events.part[row])
        had = owners.setdefault((groups[process], part), {})
        if events.what[row] == REVOKE:
            had.pop(process, None)
            continue
        generation = int(events.number[row])
        others = [other for other in had if other != process]
        if others and generation >= 0:  # those who assign themselves are no group's members
            rows.append(row)
            excused.append(all(had[other] != generation for other in others))
            notes[row] = ", ".join(evidence.processes[other].client for other in others)
        had[process] = generation
    two, zombies = split(np.array(rows, np.int64), np.array(excused, bool))

    def whose(row: int) -> str:
        return f"still owned by {notes[row]}"

    return [
        *of_events("two owners", evidence, two, note=whose),
        *of_events("two owners", evidence, zombies, ZOMBIE, whose),
    ]


def _commits(evidence: Evidence) -> Iterator[Column]:
    """Give the rows of the commits of each group and partition, in the order of time."""
    events = evidence.events
    numbers: dict[str | None, int] = {}
    groups = [numbers.setdefault(group, len(numbers)) for group in evidence.groups]
    rows = np.flatnonzero((events.what == COMMIT) & (events.outcome == OK))
    if not len(rows):
        return
    place = np.array(groups)[events.process[rows]] * len(evidence.parts) + events.part[rows]
    order = by_group(place)
    yield from np.split(rows[order], np.flatnonzero(np.diff(place[order])) + 1)


def _was_sent_away(evidence: Evidence, rows: Column, since: Column) -> Column:
    """Say which commits follow a seek of their consumer since some time."""
    events = evidence.events
    seeks = events.what == SEEK
    told = [
        (seeks & (events.process == events.process[row]) & (events.part == events.part[row]))
        & (events.begun <= events.begun[row])
        & (events.begun >= begun)
        for row, begun in zip(rows, since, strict=True)
    ]
    return np.array([seek.any() for seek in told], bool)


def _back(evidence: Evidence) -> list[Finding]:
    """Return the commits of less than the commit before."""
    events = evidence.events
    rows, since, before = [], [], {}
    for line in _commits(evidence):
        last, this = line[:-1], line[1:]
        # Two consumers may commit at once; the requests of one arrive in their order.
        after = (events.process[last] == events.process[this]) | (
            events.ended[last] <= events.begun[this]
        )
        for place in np.flatnonzero((events.number[this] < events.number[last]) & after):
            rows.append(this[place])
            since.append(events.begun[last[place]])
            before[this[place]] = events.number[last[place]]
    found = np.array(rows, np.int64)
    bad, told = split(found, _was_sent_away(evidence, found, np.array(since)))

    def was(row: int) -> str:
        return f"{events.number[row]} after {before[row]}"

    return [
        *of_events("commit moved back", evidence, bad, note=was),
        *of_events("commit moved back", evidence, told, SOUGHT, was),
    ]


def _ahead(evidence: Evidence, seen: Identified) -> list[Finding]:
    """Return the commits of more than the group had been given by then."""
    events, log, rows = evidence.events, seen.log, [np.zeros(0, np.int64)]
    for line in _commits(evidence):
        part = events.part[line[0]]
        times, highest = _delivered(evidence, evidence.groups[events.process[line[0]]], part)
        number = events.number[line]
        line = line[number > np.maximum.accumulate(np.append(-1, number[:-1]))]  # not once more
        known = np.searchsorted(times, events.begun[line], side="right") - 1
        line, known = line[known >= 0], known[known >= 0]
        offsets = log.offset[slice(*np.searchsorted(log.part, [part, part + 1]))]
        given = np.searchsorted(offsets, highest[known] + 1)
        rows.append(line[np.searchsorted(offsets, events.number[line]) > given])
    found = np.concatenate(rows)
    bad, told = split(found, _was_sent_away(evidence, found, np.zeros(len(found))))
    return [
        *of_events("commit ahead", evidence, bad),
        *of_events("commit ahead", evidence, told, SOUGHT),
    ]


def _delivered(evidence: Evidence, group: str | None, part: int) -> tuple[Column, Column]:
    """Return when a group was given records of a partition, and the highest offset by then."""
    reads = evidence.reads
    mine = np.array([other == group for other in evidence.groups], bool)
    polls = np.flatnonzero((reads.part == part) & mine[reads.process] & (reads.count > 0))
    starts = np.cumsum(reads.count) - reads.count
    last = reads.offset[starts[polls] + reads.count[polls] - 1]
    order = np.argsort(reads.time[polls], kind="stable")
    return reads.time[polls][order], np.maximum.accumulate(last[order]) if len(order) else last
