"""Who owned which partition from when to when, also when the end is nothing a client could tell.

One that is killed gives nothing up. Its group does it when the session times out, and the
partitions are another member's in the next generation (session.timeout.ms,
https://kafka.apache.org/44/configuration/consumer-configs/#consumerconfigs_session.timeout.ms).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eventlab.history.tables import ASSIGN, FAULT, REVOKE, Column, Evidence

GONE = ("killed", "stopped", "closed", "crashed")  # of a fault: what is frozen owns on


class Owning(NamedTuple):
    """That a process got a partition, in a generation of its group, or gave it up, -1."""

    time: int
    process: int
    part: int
    owned: bool
    generation: int = -1


def owning(evidence: Evidence) -> list[Owning]:
    """Return what clients told, and the ends of what they could not give up, by time."""
    events = evidence.events
    rows = np.flatnonzero(np.isin(events.what, (ASSIGN, REVOKE)))
    columns = (events.begun, events.process, events.part, events.what == ASSIGN, events.number)
    told = [
        Owning(time, process, part, owned, number if owned else -1)
        for time, process, part, owned, number in zip(
            *(column[rows].tolist() for column in columns), strict=True
        )
    ]
    held = {(each.process, each.part): each for each in told}
    kept = [each for each in held.values() if each.owned]
    ends = [end for each in kept if (end := _end(evidence, each, told)) is not None]
    return sorted([*told, *ends], key=lambda each: each.time)


def _end(evidence: Evidence, held: Owning, told: list[Owning]) -> Owning | None:
    """Return the end of what was never given up, None where it lasts."""
    groups = evidence.groups
    group = groups[held.process]
    taken = [
        each.time
        for each in told
        if (each.part, groups[each.process]) == (held.part, group)
        and each.owned
        and each.generation > held.generation >= 0
    ]
    ends = [time for time in [*taken, *_hits(evidence, held)] if time >= held.time]
    if not ends:
        return None
    return Owning(max(min(ends), _last_act(evidence, held)), held.process, held.part, False)


def _hits(evidence: Evidence, held: Owning) -> list[int]:
    """Return when faults ended the client: those whose target has its name."""
    events, client = evidence.events, evidence.processes[held.process].client
    faults = np.flatnonzero(events.what == FAULT)
    said = [evidence.errors[number].partition(": ") for number in events.error[faults]]
    hit = [target == client and any(w in GONE for w in what.split()) for what, _, target in said]
    times: list[int] = events.begun[faults[np.array(hit, bool)]].tolist()
    return times


def _last_act(evidence: Evidence, held: Owning) -> int:
    """Return when the process last did anything to the partition: it was there until then."""

    def last(times: Column, process: Column, part: Column) -> int:
        mine = times[(process == held.process) & (part == held.part)]
        return int(mine.max(initial=0))

    events, reads = evidence.events, evidence.reads
    return max(
        last(events.begun, events.process, events.part),
        last(reads.time, reads.process, reads.part),
    )
