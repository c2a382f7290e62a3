"""What consumers must read of the log: I8 and I12, and how far their groups came, I2."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eventlab.history.judge.finding import MOST, Finding, finding, of_log, setting, split
from eventlab.history.judge.identify import Identified
from eventlab.history.judge.order import by_group
from eventlab.history.tables import ASSIGN, COMMIT, FAIL, OK, SEEK, Column, Evidence

ABORTED = "isolation_level is read_uncommitted, which shows what aborted transactions wrote"
SOUGHT = "a consumer was told to go on elsewhere"
AT_LEAST_ONCE = "a group reads at least once: again from its last commit after a rebalance or seek"
NOT_YET = "a group may begin late and stop early; what it has not read is lag, not loss"


class Deliveries:
    """Every record that was read, with its row in the log, in the order of each consumer."""

    def __init__(self, evidence: Evidence, seen: Identified) -> None:
        self.evidence, self.seen, reads = evidence, seen, evidence.reads
        self.part = np.repeat(reads.part, reads.count)
        self.row = seen.index.rows(self.part, reads.offset)
        self.ends = np.cumsum(reads.count)

    def poll(self, read: Column) -> Column:
        """Return the number of the poll that returned each of these."""
        return np.searchsorted(self.ends, read, side="right")

    def finding(self, kind: str, reads: Column, allowed: str = "", note: str = "") -> list[Finding]:
        """Return a finding about records that were read."""
        table, first = self.evidence.reads, reads[:MOST]
        poll = self.poll(first)
        about = {"process": table.process[poll], "time": table.time[poll]}
        about["event"] = np.append(self.seen.event, -1)[self.row[first]]
        return finding(kind, allowed, reads, self.part, table.offset, lambda read: note, **about)


def check(read: Deliveries) -> list[Finding]:
    """Compare what was read with the log."""
    back, skipped = _steps(read)
    return [*_dirty(read), *back, *_coverage(read, skipped)]


def _dirty(read: Deliveries) -> list[Finding]:
    """I12: what was read stays in the log, and stays what it was."""
    log, table = read.seen.log, read.evidence.reads
    absent = read.row < 0
    logged = log.check.take(read.row, mode="clip") if len(log.check) else np.zeros_like(table.check)
    other = (logged != table.check) & (table.check != 0) & (logged != 0)
    odd = np.flatnonzero(absent | other)
    part, offset, poll = read.part[odd], table.offset[odd], read.poll(odd)
    whole = (log.reached >= log.end)[part] & (table.time[poll] < log.begun)
    known = (offset >= log.start[part]) & ((offset < log.reached[part]) | whole)
    odd = odd[known & ~(absent[odd] & log.compacted[part])]
    if not len(odd):
        return []
    loose = setting(read.evidence, "isolation_level", "") == "read_uncommitted"
    excused = _aborted(read, odd) & loose[table.process[read.poll(odd)]]
    bad, uncommitted = split(odd, excused)
    note = "the log has no such record in the end"
    return [
        *read.finding("dirty read", bad, note=note),
        *read.finding("dirty read", uncommitted, ABORTED, note),
    ]


def _aborted(read: Deliveries, reads: Column) -> Column:
    """Say which of these records an aborted transaction wrote."""
    sends = read.evidence.sends
    rows = np.flatnonzero((sends.outcome == FAIL) & (sends.offset >= 0))
    wrote = set(zip(sends.part[rows].tolist(), sends.offset[rows].tolist(), strict=True))
    table = zip(read.part[reads].tolist(), read.evidence.reads.offset[reads].tolist(), strict=True)
    return np.array([place in wrote for place in table], bool)


def _steps(read: Deliveries) -> tuple[list[Finding], Column]:
    """I8: between seeks and rebalances a consumer goes up, and past nothing.

    Return where it went back, and which rows of the log were passed over.
    """
    table, size = read.evidence.reads, len(read.seen.log.part)
    group = table.process.astype(np.int64) * len(read.evidence.parts) + table.part
    order = by_group(group)
    place = _records_of(table.count, order)
    offset, row = table.offset[place], read.row[place]
    odd = np.flatnonzero(offset[1:] - offset[:-1] != 1)
    ends = np.cumsum(table.count[order])
    span = np.stack([group[order], table.epoch[order]])
    before, after = (np.searchsorted(ends, odd + step, side="right") for step in (0, 1))
    odd = odd[(span[:, before] == span[:, after]).all(axis=0)]
    back = odd[offset[odd + 1] <= offset[odd]]
    jump = odd[(row[odd] >= 0) & (row[odd + 1] > row[odd] + 1)]
    edges = np.zeros(size + 1, np.int32)
    np.add.at(edges, row[jump] + 1, 1)
    np.add.at(edges, row[jump + 1], -1)
    found = np.arange(len(offset))[place] if isinstance(place, slice) else place
    return read.finding("non-monotonic", found[back + 1]), np.cumsum(edges[:-1]) > 0


def _records_of(count: Column, order: Column | slice) -> Column | slice:
    """Return what puts records in the order of their polls."""
    if isinstance(order, slice):
        return order
    starts, counts = (np.cumsum(count) - count)[order], count[order]
    return np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())


def _coverage(read: Deliveries, skipped: Column) -> list[Finding]:
    """I2 and I8 for groups: what a group passed over, did not come to, or read again."""
    findings = of_log("skipped", read.evidence, read.seen, np.flatnonzero(skipped))
    for title, members in teams(read.evidence):
        findings += _of_group(read, skipped, members, title)
    return findings


def teams(evidence: Evidence) -> list[tuple[str, Column]]:
    """Return the name and the processes of each group; a client without one is on its own."""
    members: dict[object, list[int]] = {}
    for number, process in enumerate(evidence.processes):
        members.setdefault(process.group_id or number, []).append(number)
    return [
        (
            f"group {name}" if isinstance(name, str) else evidence.processes[numbers[0]].client,
            np.array(numbers),
        )
        for name, numbers in members.items()
    ]


def _of_group(read: Deliveries, skipped: Column, members: Column, title: str) -> list[Finding]:
    evidence, seen, table = read.evidence, read.seen, read.evidence.reads
    mine = np.isin(table.process, members)
    rows = read.row if mine.all() else read.row[np.repeat(mine, table.count)]
    rows = rows if (rows >= 0).all() else rows[rows >= 0]
    got = np.zeros(len(skipped), bool)
    got[rows] = True
    passed, sought, unseen = _gaps(evidence, seen, got, members, np.unique(table.part[mine]))
    unseen = unseen[seen.event[unseen] >= 0]

    def by(row: int) -> str:
        return f"by {title}"

    return [
        *of_log("skipped", evidence, seen, passed[~skipped[passed]], note=by),
        *of_log("skipped", evidence, seen, sought[~skipped[sought]], SOUGHT, by),
        *of_log("unseen", evidence, seen, unseen, NOT_YET, by),
        *_again(evidence, seen, rows, got, title),
    ]


def _gaps(
    evidence: Evidence, seen: Identified, got: Column, members: Column, parts: Column
) -> tuple[Column, Column, Column]:
    """Return the rows that a group passed over, those it was told to, and those outside."""
    events, log = evidence.events, seen.log
    mine = np.isin(events.process, members) & (events.outcome == OK)
    passed, sought, outside = ([np.zeros(0, np.int64)] for _ in range(3))
    for part in np.union1d(parts, events.part[mine & (events.what == ASSIGN)]):
        first, last = np.searchsorted(log.part, [part, part + 1])
        here = mine & (events.part == part)
        window, low, high = got[first:last], last, last
        if window.any():
            low, high = first + window.argmax(), last - window[::-1].argmax()
            commits = events.number[here & (events.what == COMMIT)]
            done = first + np.searchsorted(log.offset[first:last], commits.max(initial=0))
            high = max(high, done)
        told = sought if (here & (events.what == SEEK)).any() else passed
        told.append(low + np.flatnonzero(~got[low:high]))
        outside += [np.arange(first, low), np.arange(high, last)]
    return np.concatenate(passed), np.concatenate(sought), np.concatenate(outside)


def _again(
    evidence: Evidence, seen: Identified, rows: Column, got: Column, title: str
) -> list[Finding]:
    """Return the records that a group read more than once."""
    extra = len(rows) - int(got.sum())
    if not extra:
        return []
    times = np.bincount(rows, minlength=len(got))

    def often(row: int) -> str:
        return f"{times[row]} times by {title}"

    (one,) = of_log("redelivered", evidence, seen, np.flatnonzero(times > 1), AT_LEAST_ONCE, often)
    return [replace(one, count=extra)]
