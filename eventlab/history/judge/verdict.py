"""The judge's answer: valid, invalid or unknown, with what was found, its witnesses and why."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

from eventlab.history.judge import witnesses
from eventlab.history.judge.anomalies import ANOMALIES, known
from eventlab.history.judge.finding import Finding
from eventlab.history.judge.identify import Identified
from eventlab.history.tables import FAIL, OK, Column, Evidence

COLUMNS = ["anomaly", "count", "allowed", "meaning", "next"]


class Verdict:
    """Whether a history keeps what Kafka and its clients promise.

    `outcome` is "valid", "invalid" or "unknown"; `table` has a row for each anomaly: its count,
    why it is allowed here (empty when nothing excuses it), what it means and where to look next;
    `counts` says how much was sent, acknowledged, refused, unknown, in the log and read.
    """

    def __init__(
        self, evidence: Evidence, seen: Identified, findings: list[Finding], doubts: list[str]
    ) -> None:
        self._evidence, self._seen, self._findings = evidence, seen, findings
        self.name, self.doubts = evidence.name, doubts
        self.counts = _counts(evidence, seen)
        self.table = pd.DataFrame([_row(finding) for finding in findings], columns=COLUMNS)

    @property
    def outcome(self) -> str:
        """Say "invalid" where something is not allowed, else "unknown" where there is a doubt."""
        if any(not finding.allowed for finding in self._findings):
            return "invalid"
        return "unknown" if self.doubts else "valid"

    @property
    def valid(self) -> bool:
        """Whether the outcome is "valid"."""
        return self.outcome == "valid"

    def count(self, anomaly: str) -> int:
        """Return how often an anomaly was found, allowed or not; InvalidSetting for no anomaly."""
        (name,) = known([anomaly], "count(...)")
        return sum(finding.count for finding in self._findings if finding.kind == name)

    def witnesses(self, anomaly: str | None = None) -> pd.DataFrame:
        """Return up to 32 cases of an anomaly, or of each, with three neighbours on either side.

        Columns: anomaly, witness (its number), place (0 is the witness, -3 to 3 its neighbours),
        f, topic, partition, offset, event_id, key, client, time, note.
        """
        wanted = ANOMALIES if anomaly is None else known([anomaly], "witnesses(...)")
        findings = [finding for finding in self._findings if finding.kind in wanted]
        return witnesses.frame(self._evidence, self._seen, findings)

    def records(self) -> pd.DataFrame:
        """Return every record of the log, and every lost one, with the anomaly it is part of.

        `charts.anomalies(verdict.records())` is the picture of it.
        Columns: topic, partition, offset, event_id (-1: sent by nobody of the run), key_id,
        producer_seq, process (who sent it), time, anomaly (None for none), in_log.
        """
        return witnesses.records(self._evidence, self._seen, self._findings)

    def parts(self, *anomalies: str) -> Column:
        """Return the numbers of the partitions in which there are such anomalies."""
        found = [finding.part for finding in self._findings if finding.kind in anomalies]
        return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)

    @property
    def text(self) -> str:
        """The verdict in words."""
        found = [_line(finding) for finding in self._findings]
        return "\n".join([self._heading(), self._balance(), *self.doubts, *found])

    def _heading(self) -> str:
        bad = [f"{f.count:,} {f.kind}" for f in self._findings if not f.allowed]
        return f"{self.name}: {self.outcome}" + (f" ({', '.join(bad)})" if bad else "") + "."

    def _balance(self) -> str:
        count = self.counts
        return (
            f"{count['sent']:,} sent: {count['acknowledged']:,} acknowledged,"
            f" {count['failed']:,} failed, {count['unknown']:,} unknown"
            f" ({count['landed']:,} of them in the log)."
            f" {count['in_log']:,} in the log, {count['read']:,} read by consumers."
        )

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Verdict {self._heading()}>"

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{escape(line)}</p>" for line in (self._balance(), *self.doubts))
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in COLUMNS)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>"
            for row in self.table.itertuples(index=False)
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        return f"<p><b>{escape(self._heading())}</b></p>{said}" + (table if rows else "")


def _row(finding: Finding) -> tuple[str, int, str, str, str]:
    kind = ANOMALIES[finding.kind]
    return finding.kind, finding.count, finding.allowed, kind.meaning, kind.next


def _line(finding: Finding) -> str:
    kind = ANOMALIES[finding.kind]
    start = f"{finding.kind}: {finding.count:,}."
    if finding.allowed:
        return f"{start} {kind.meaning} Allowed: {finding.allowed}."
    first = next((note for note in finding.witnesses["note"] if note), "")
    return f"{start} {kind.meaning} {kind.next}" + (f" The first: {first}." if first else "")


def _counts(evidence: Evidence, seen: Identified) -> dict[str, int]:
    sends = evidence.sends
    ok, failed = sends.outcome == OK, sends.outcome == FAIL
    unknown = ~ok & ~failed
    return {
        "sent": len(sends.part),
        "acknowledged": int(ok.sum()),
        "failed": int(failed.sum()),
        "unknown": int(unknown.sum()),
        "landed": int((unknown & seen.placed).sum()),
        "in_log": int(np.count_nonzero(seen.event >= 0)),
        "others": int(np.count_nonzero(seen.event < 0)),
        "read": int(evidence.reads.count.sum()),
    }
