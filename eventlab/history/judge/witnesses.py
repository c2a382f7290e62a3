"""The cases of what was found, each between its neighbours, and all records with their names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from eventlab.history.judge.finding import Finding
from eventlab.history.judge.identify import Identified
from eventlab.history.judge.logged import missing
from eventlab.history.tables import WHAT, Evidence
from eventlab.history.words import of_event, places, utc

NEAR = 3
COLUMNS = ["anomaly", "witness", "place", "f", "topic", "partition", "offset", "event_id"]
COLUMNS += ["key", "client", "time", "note"]
BETWEEN_EVENTS = ("two owners", "commit moved back", "commit ahead", "stalled")


def frame(evidence: Evidence, seen: Identified, findings: list[Finding]) -> pd.DataFrame:
    """Return a row for each witness and each of its neighbours."""
    rows: list[dict[str, Any]] = []
    for finding in findings:
        near = _events if finding.kind in BETWEEN_EVENTS else _records
        for number, case in enumerate(finding.witnesses.itertuples(index=False)):
            about = {"anomaly": finding.kind, "witness": number}
            rows += [{**about, **row} for row in near(evidence, seen, case)]
    made = pd.DataFrame(rows, columns=["part", "process", *COLUMNS])
    made["time"] = pd.to_datetime(made["time"], utc=True)
    return _named(evidence, made)[COLUMNS]


def _named(evidence: Evidence, table: pd.DataFrame) -> pd.DataFrame:
    """Put names in place of the numbers of partitions, processes and keys."""
    sends = evidence.sends
    parts, clients = dict(enumerate(evidence.parts)), [p.client for p in evidence.processes]
    table["topic"] = [parts.get(part, ("", -1))[0] for part in table["part"]]
    table["partition"] = [parts.get(part, ("", -1))[1] for part in table["part"]]
    table["client"] = [clients[number] if number >= 0 else "" for number in table["process"]]
    keys = [sends.key[event] if event >= 0 else -1 for event in table["event_id"]]
    table["key"] = [evidence.keys[key] if key >= 0 else None for key in keys]
    return table


def _records(evidence: Evidence, seen: Identified, case: Any) -> list[dict[str, Any]]:
    """Return the records in the log around a case, and the case itself."""
    log = seen.log
    first, last = np.searchsorted(log.part, [case.part, case.part + 1])
    at = first + int(np.searchsorted(log.offset[first:last], case.offset))
    there = at < last and log.offset[at] == case.offset
    before = range(max(first, at - NEAR), at)
    after = range(at + there, min(last, at + there + NEAR))
    rows = [(row - at, row) for row in before] + [(row - at + 1 - there, row) for row in after]
    around = [_record(evidence, seen, place, row) for place, row in rows]
    itself = {"place": 0, "f": "record", "part": case.part, "offset": case.offset}
    itself |= {"event_id": case.event, "process": case.process, "time": case.time}
    return sorted([*around, {**itself, "note": case.note}], key=lambda row: row["place"])


def _record(evidence: Evidence, seen: Identified, place: int, row: int) -> dict[str, Any]:
    event = int(seen.event[row])
    return {
        "place": place,
        "f": "record",
        "part": int(seen.log.part[row]),
        "offset": int(seen.log.offset[row]),
        "event_id": event,
        "process": int(evidence.sends.process[event]) if event >= 0 else -1,
        "time": int(seen.log.time[row]) * 1_000_000,
        "note": "",
    }


def _events(evidence: Evidence, seen: Identified, case: Any) -> list[dict[str, Any]]:
    """Return what happened to the partition around a case, and the case itself."""
    events = evidence.events
    rows = np.flatnonzero(events.part == case.part)
    at = int(np.searchsorted(events.begun[rows], case.time))
    near = range(max(0, at - NEAR), min(len(rows), at + NEAR + 1))
    return [
        {
            "place": place - at,
            "f": WHAT[events.what[rows[place]]],
            "part": case.part,
            "offset": int(events.number[rows[place]]),
            "event_id": -1,
            "process": int(events.process[rows[place]]),
            "time": int(events.begun[rows[place]]),
            "note": case.note if place == at else "",
        }
        for place in near
    ]


def records(evidence: Evidence, seen: Identified, findings: list[Finding]) -> pd.DataFrame:
    """Return the records of the log and the lost ones, each with the worst of its anomalies."""
    log, sends = seen.log, evidence.sends
    lost, _, _ = missing(evidence, seen)
    anomaly = np.full(len(log.part) + len(lost), None, object)
    for finding in reversed(findings):
        if finding.kind == "lost":  # what is at its offset now is another record
            continue
        row = seen.index.rows(finding.part, finding.offset)
        anomaly[row[row >= 0]] = finding.kind
    anomaly[len(log.part) :] = "lost"
    event = np.concatenate([seen.event, lost])
    part = np.concatenate([log.part, sends.part[lost]])
    table = pd.DataFrame(
        {
            **places(evidence.parts, part),
            "offset": np.concatenate([log.offset, sends.offset[lost]]),
            "event_id": np.maximum(event, -1),
            "key_id": of_event(sends.key, event),
            "producer_seq": of_event(sends.seq, event),
            "process": of_event(sends.process, event),
            "time": utc(np.concatenate([log.time * 1_000_000, sends.time[lost]])),
            "anomaly": anomaly,
            "in_log": np.arange(len(event)) < len(log.part),
        }
    )
    return table.sort_values(["topic", "partition", "offset"], ignore_index=True)
