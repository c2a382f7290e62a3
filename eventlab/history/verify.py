"""From a run to its verdict: the final read, the judge, and where what is missing is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from eventlab.history import arguments
from eventlab.history.judge import judge
from eventlab.history.judge.verdict import Verdict
from eventlab.history.tables import FAIL, OK, Evidence
from eventlab.waiting import Deadline

if TYPE_CHECKING:
    from eventlab.history.run import Run

MISSING = ("lost", "dirty read")  # of which one wants to know where the records are


def verify(run: Run, within: float, effects: Any, rules: dict[str, Any]) -> Verdict:
    """Judge a run: by a new final read where its cluster is known, else by the last one."""
    deadline, address = Deadline(within), _address(run)
    rules["effects_of"] = arguments.effects(effects, run._names)
    log = None
    if address:
        from eventlab.history.final import final_read

        before = run._evidence()
        ends = _acknowledged(before)
        log = final_read(address, run._names, _topics(before), run._cluster_id, ends, deadline)
    evidence = _fitting(run._evidence(log))
    verdict = judge(evidence, **rules)
    if log is None or not any(verdict.count(kind) for kind in MISSING):
        return verdict
    return judge(_triaged(run, address, evidence, verdict, deadline), **rules)


def _address(run: Run) -> dict[str, Any]:
    """Return where the final read is made; nothing when nobody told."""
    if run._cluster is not None:
        return {**run._address, **run._cluster.client_config}
    return run._address


def _topics(evidence: Evidence) -> list[str]:
    """Return the topics that something was done to: not those of sends that were refused."""
    sends = evidence.sends
    used = [sends.part[sends.outcome != FAIL], evidence.reads.part, evidence.events.part]
    numbers = np.unique(np.concatenate(used))
    return sorted({evidence.parts[number][0] for number in numbers if number >= 0})


def _acknowledged(evidence: Evidence) -> dict[int, int]:
    """Return for each partition the offset behind the last record that was acknowledged."""
    sends, ends = evidence.sends, np.zeros(len(evidence.parts), np.int64)
    told = np.flatnonzero(sends.outcome == OK)
    np.maximum.at(ends, sends.part[told], sends.offset[told] + 1)
    return dict(enumerate(ends.tolist()))


def _fitting(evidence: Evidence) -> Evidence:
    """Let the edges of the log be of all partitions: some may be newer than the final read."""
    log, count = evidence.log, len(evidence.parts)
    if log is None or len(log.start) == count:
        return evidence
    more = count - len(log.start)
    edges: dict[str, Any] = {
        name: np.append(getattr(log, name), np.zeros(more, np.int64)) for name in EDGES
    }
    edges["reached"] = np.append(log.reached, np.full(more, -1))
    compacted = np.append(log.compacted, np.zeros(more, bool))
    return replace(evidence, log=replace(log, **edges, compacted=compacted))


def _triaged(
    run: Run, address: dict[str, Any], evidence: Evidence, verdict: Verdict, deadline: Deadline
) -> Evidence:
    """Look for what is missing in the files of the brokers, and at the topics' settings."""
    from eventlab.history.disks import look

    parts = verdict.parts(*MISSING)
    disks, compacted = look(address, evidence, parts, run._cluster_id, deadline)
    assert evidence.log
    return replace(evidence, disks=disks, log=replace(evidence.log, compacted=compacted))


EDGES = ("start", "end")
