"""The judge: from the tables of a history to a verdict, with numpy and pandas alone.

It knows no client and no cluster, so it can judge histories of any broker, file or test.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from eventlab.history.judge import effects, groups, logged, reading
from eventlab.history.judge.anomalies import ANOMALIES, known
from eventlab.history.judge.finding import MOST, Finding
from eventlab.history.judge.identify import Identified, identify
from eventlab.history.judge.verdict import Verdict
from eventlab.history.tables import Evidence, Log

PROGRESS = 30.0  # seconds, after a fault is mended, until something is acknowledged


def judge(
    evidence: Evidence,
    *,
    allow: Iterable[str] = (),
    forbid: Iterable[str] = (),
    effects_of: effects.Effects | None = None,
    progress: float = PROGRESS,
) -> Verdict:
    """Judge a history by the log that was read in the end.

    Anomalies named in `allow` do not count; those in `forbid` do, whatever excuses them.
    """
    allowed, forbidden = known(allow, "allow="), known(forbid, "forbid=")
    seen = identify(evidence, evidence.log or nothing_read(len(evidence.parts)))
    read = reading.Deliveries(evidence, seen)
    findings = [
        *logged.check(evidence, seen),
        *reading.check(read),
        *groups.check(evidence, seen),
        *effects.check(evidence, read, effects_of),
        *effects.progress(evidence, progress),
    ]
    ruled = _merged([_rule(finding, allowed, forbidden) for finding in findings])
    return Verdict(evidence, seen, ruled, _doubts(evidence, seen))


def nothing_read(parts: int) -> Log:
    """Return the log of a final read that did not take place."""
    none, edge = np.zeros(0, np.int64), np.zeros(parts, np.int64)
    return Log(
        part=none.astype(np.int32),
        offset=none,
        check=none.astype(np.uint32),
        time=none,
        start=edge,
        end=edge,
        reached=edge - 1,
        compacted=edge > 0,
        begun=np.iinfo(np.int64).max,
        unread=("There was no final read.",),
    )


def _rule(finding: Finding, allow: frozenset[str], forbid: frozenset[str]) -> Finding:
    if finding.kind in forbid:
        return replace(finding, allowed="")
    return replace(finding, allowed="you allow it") if finding.kind in allow else finding


def _merged(findings: list[Finding]) -> list[Finding]:
    """Return one finding for each anomaly and excuse, the worst first."""
    same: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        same.setdefault((finding.kind, finding.allowed), []).append(finding)
    order = list(ANOMALIES)
    return [
        Finding(
            kind,
            allowed,
            sum(finding.count for finding in some),
            np.concatenate([finding.part for finding in some]),
            np.concatenate([finding.offset for finding in some]),
            pd.concat([finding.witnesses for finding in some], ignore_index=True)[:MOST],
        )
        for (kind, allowed), some in sorted(
            same.items(), key=lambda item: (bool(item[0][1]), order.index(item[0][0]))
        )
    ]


def _doubts(evidence: Evidence, seen: Identified) -> list[str]:
    """Return, in sentences, what keeps a history without anomaly from being valid."""
    doubts = list(seen.log.unread)
    if not len(evidence.sends.part) and not len(evidence.reads.part):
        doubts.append("Nothing was sent and nothing was read.")
    _, hidden, unread = logged.missing(evidence, seen)
    if len(hidden):
        doubts.append(
            f"{len(hidden):,} acknowledged records are in their leader's file and cannot be read:"
            " fewer replicas are in sync than min.insync.replicas. Verify again when they are."
        )
    if len(unread) and evidence.log:
        doubts.append(
            f"{len(unread):,} acknowledged records are where the final read did not come."
        )
    return doubts
