"""What the log must hold of what was sent: I1 to I7 and I11."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eventlab.history.judge.finding import Finding, of_log, of_sends, setting, split
from eventlab.history.judge.identify import NOBODY, Identified
from eventlab.history.judge.order import by_group
from eventlab.history.tables import FAIL, INFO, OK, Column, Evidence

NOT_IDEMPOTENT = "the producer is not idempotent, so a retry may write a record twice (KIP-98)"
IN_FLIGHT = "the producer is not idempotent and has requests in flight that a retry may overtake"
OWN_PARTITIONER = "the producer has a partitioner of its own"
COMPACTED = "the topic is compacted, which removes older records of a key"


def check(evidence: Evidence, seen: Identified) -> list[Finding]:
    """Compare what was sent with the log."""
    return [
        *_lost(evidence, seen),
        *_phantoms(evidence, seen),
        *_copies(evidence, seen),
        *_moved(evidence, seen),
        *_reordered(evidence, seen),
        *_split_keys(evidence),
        *_torn(evidence, seen),
    ]


def missing(evidence: Evidence, seen: Identified) -> tuple[Column, Column, Column]:
    """Return the acknowledged sends that the log lacks, that nobody can read, that nobody read.

    Those below the start of the log are none of these: retention has removed them.
    """
    sends, log = evidence.sends, seen.log
    rows = np.flatnonzero((sends.outcome == OK) & ~seen.placed)
    part, offset = sends.part[rows], sends.offset[rows]
    rows = rows[(offset >= log.start[part]) & (sends.ended[rows] < log.begun)]
    part, offset = sends.part[rows], sends.offset[rows]
    unread = ~_was_read(seen, part, offset)
    hidden = ~unread & (offset >= log.end[part]) & _on_the_leader(evidence, rows)
    return rows[~unread & ~hidden], rows[hidden], rows[unread]


def _was_read(seen: Identified, part: Column, offset: Column) -> Column:
    """Say of which offsets it is known whether the log has them."""
    log = seen.log
    read: Column = (offset < log.reached[part]) | (log.reached[part] >= log.end[part])
    return read & (offset >= log.start[part])


def _copies_on_disk(evidence: Evidence, send: int) -> list[int]:
    """Return the brokers whose files have a send at the offset that was acknowledged."""
    disks, sends = evidence.disks, evidence.sends
    if disks is None:
        return []
    same = (disks.part == sends.part[send]) & (disks.offset == sends.offset[send])
    return sorted(set(disks.node[same & (disks.check == sends.check[send])].tolist()))


def _on_the_leader(evidence: Evidence, rows: Column) -> Column:
    """Say which sends are in the file of their leader: above the high watermark, if unread.

    With fewer replicas in sync than min.insync.replicas it does not rise (KIP-966).
    """
    disks, sends = evidence.disks, evidence.sends
    if disks is None:
        return np.zeros(len(rows), bool)
    held = disks.node == disks.leader[disks.part]
    kept = zip(disks.part[held], disks.offset[held], disks.check[held], strict=True)
    there = {tuple(map(int, record)) for record in kept}
    asked = zip(sends.part[rows], sends.offset[rows], sends.check[rows], strict=True)
    return np.array([tuple(map(int, record)) in there for record in asked], bool)


def _lost(evidence: Evidence, seen: Identified) -> list[Finding]:
    """I1 and I2: what was acknowledged is in the log."""
    rows, _, _ = missing(evidence, seen)
    lost, removed = split(rows, seen.log.compacted[evidence.sends.part[rows]])
    looked = evidence.disks.looked if evidence.disks else ()

    def why(send: int) -> str:
        part, offset = evidence.sends.part[send], evidence.sends.offset[send]
        copies = _copies_on_disk(evidence, send)
        return f"{_at(seen, part, offset)}; {_where(copies, looked)}"

    return [
        *of_sends("lost", evidence, lost, note=why),
        *of_sends("lost", evidence, removed, COMPACTED, why),
    ]


def _at(seen: Identified, part: int, offset: int) -> str:
    if offset >= seen.log.end[part]:
        return f"the log ends at {seen.log.end[part]}, before it"
    there = seen.index.rows(np.array([part]), np.array([offset]))[0] >= 0
    return "another record is at its offset" if there else "nothing is at its offset"


def _where(copies: list[int], looked: tuple[int, ...]) -> str:
    if copies:
        return f"it is in the files of broker {', '.join(map(str, copies))} alone"
    brokers = ", ".join(map(str, looked))
    return f"no file of brokers {brokers} has it" if looked else "files were not looked at"


def _phantoms(evidence: Evidence, seen: Identified) -> list[Finding]:
    """I3: nothing is in the log that was not sent, or was refused."""
    sent = seen.event >= 0
    refused = np.append(evidence.sends.outcome == FAIL, False)[np.where(sent, seen.event, -1)]
    rows = np.flatnonzero((seen.event == NOBODY) | refused)

    def why(row: int) -> str:
        return "its send had failed" if seen.event[row] >= 0 else "no client of this run sent it"

    return of_log("phantom", evidence, seen, rows, note=why)


def _copies(evidence: Evidence, seen: Identified) -> list[Finding]:
    """I5: an event is in the log once."""
    rows = np.flatnonzero(seen.copy)
    once = setting(evidence, "enable_idempotence", False)
    sender = evidence.sends.process[seen.event[rows]]
    doubled, retried = split(rows, ~once[sender].astype(bool))

    def where(row: int) -> str:
        first = np.flatnonzero((seen.event == seen.event[row]) & ~seen.copy)
        return f"also at offset {seen.log.offset[first[0]]}" if len(first) else ""

    return [
        *of_log("duplicate", evidence, seen, doubled, note=where),
        *of_log("duplicate", evidence, seen, retried, NOT_IDEMPOTENT, where),
    ]


def _moved(evidence: Evidence, seen: Identified) -> list[Finding]:
    """I4: an event is where its acknowledgement said, and one record is at one offset."""
    sends = evidence.sends

    def where(row: int) -> str:
        event = seen.event[row]
        topic, partition = evidence.parts[sends.part[event]]
        return f"acknowledged as {topic}-{partition} offset {sends.offset[event]}"

    return of_log("moved", evidence, seen, np.flatnonzero(seen.moved), note=where)


def _reordered(evidence: Evidence, seen: Identified) -> list[Finding]:
    """I6 and I7: a partition keeps the order in which one thread of one producer sent."""
    sends, count = evidence.sends, len(evidence.sends.part)
    rows = np.flatnonzero((seen.event >= 0) & ~seen.copy & seen.sure)
    if not len(rows):
        return []
    event, part = seen.event.take(rows), seen.log.part.take(rows)
    group = sends.process.take(event) * np.int32(len(evidence.parts)) + part
    order = by_group(group)
    event, group = event[order], group[order]
    if not ((event[1:] < event[:-1]) & (group[1:] == group[:-1])).any():
        return []  # sends are in the order of time, and so is the log
    place = group * np.int64(count) + event
    highest = np.maximum.accumulate(place)
    late = rows[order][place < highest]
    overtaken = dict(zip(late, highest[place < highest] % count, strict=True))
    idempotent = setting(evidence, "enable_idempotence", False).astype(bool)
    in_flight = setting(evidence, "max_in_flight_requests_per_connection", 5)
    excused = (~idempotent & (in_flight > 1))[sends.process[seen.event[late]]]
    bad, retried = split(late, excused)

    def after(row: int) -> str:
        return f"sent before event {overtaken[row]}, which is in front of it"

    return [
        *of_log("reordered", evidence, seen, bad, note=after),
        *of_log("reordered", evidence, seen, retried, IN_FLIGHT, after),
    ]


def _split_keys(evidence: Evidence) -> list[Finding]:
    """I7: a key has one partition, unless somebody chose another."""
    sends = evidence.sends
    rows = np.flatnonzero((sends.key >= 0) & (sends.outcome == OK) & ~sends.explicit)
    if not len(rows):
        return []
    topic, topics = pd.factorize(np.array([topic for topic, _ in evidence.parts], object))
    key = sends.key[rows] * np.int64(len(topics)) + topic[sends.part[rows]]
    if int(key.max()) > 8 * len(key) + 1_000_000:
        key, _ = pd.factorize(key)
    part, first = sends.part[rows], np.empty(int(key.max()) + 1, np.int32)
    first[key[::-1]] = part[::-1]
    other = first.take(key) != part
    if not other.any():
        return []
    before = dict(zip(rows[other], first[key[other]], strict=True))
    own = ~setting(evidence, "default_partitioner", True).astype(bool)
    bad, chosen = split(rows[other], own[sends.process[rows[other]]])

    def where(send: int) -> str:
        return f"its key was in partition {evidence.parts[before[send]][1]} before"

    return [
        *of_sends("key split", evidence, bad, note=where),
        *of_sends("key split", evidence, chosen, OWN_PARTITIONER, where),
    ]


def _torn(evidence: Evidence, seen: Identified) -> list[Finding]:
    """I11: of a transaction of which nobody knows how it ended, all is in the log or nothing."""
    sends = evidence.sends
    rows = np.flatnonzero((sends.txn >= 0) & (sends.outcome == INFO) & (sends.offset >= 0))
    rows = rows[_was_read(seen, sends.part[rows], sends.offset[rows])]
    txn = sends.process[rows] * np.int64(2**32) + sends.txn[rows]
    inside = seen.placed[rows]
    half = np.intersect1d(txn[inside], txn[~inside])
    return of_sends("torn", evidence, rows[np.isin(txn, half) & ~inside])
