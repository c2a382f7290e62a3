"""Playing rows: each run has a seed, is judged, and is told as a row of a table."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from kafka.errors import KafkaError

from eventlab.cluster.cluster import Cluster
from eventlab.errors import EventlabError
from eventlab.matrix.row import VANISHED, Row
from eventlab.matrix.scene import Scene

if TYPE_CHECKING:
    import pandas as pd

    from eventlab.history.judge.verdict import Verdict

PROPERTIES = {  # of a cluster that can play every row: retention and compaction in seconds
    "log.initial.task.delay.ms": 1000,
    "log.retention.check.interval.ms": 500,
    "log.cleaner.backoff.ms": 500,
}
SOME = range(1, 10**12)
COLUMNS = ["row", "fault", "settings", "runs", "records", "acknowledged", "lost", "expired",
           "duplicated", "reordered", "gap_median_seconds", "gap_max_seconds", "verdict",
           "holds", "source"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run of one row.

    `lost` are records that the log has not, and effects that the database has not; `duplicated`
    are records, or effects, that are there twice; `reordered` are those that their key's order
    does not hold for; `expired` is what retention or compaction removed.
    """

    row: str
    fault: str
    settings: str
    seed: int
    records: int
    acknowledged: int
    lost: int
    expired: int
    duplicated: int
    reordered: int
    gap_seconds: float
    verdict: str
    holds: bool
    why: str
    source: str


def play(cluster: Cluster, row: Row, seed: int, records: int) -> Outcome:
    """Play a row once; whatever it breaks is mended, whatever it starts is ended."""
    scene = Scene(cluster, f"matrix-{row.row.lower()}-{seed}", seed, records)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that no broker is left is the point
            row.script(scene)
        verdict = scene.verify(**row.judge, within=120)
    except (EventlabError, KafkaError) as error:
        return _outcome(scene, row, seed, None, f"{type(error).__name__}: {error}")
    finally:
        scene.close()
    return _outcome(scene, row, seed, verdict, "; ".join(_broken(scene, row, verdict)))


def _broken(scene: Scene, row: Row, verdict: Verdict) -> list[str]:
    """Return what the row promised and did not keep."""
    found = list(scene.broken_promises)
    for anomaly, wanted in {**dict.fromkeys(row.shows, SOME), **scene.scripted}.items():
        seen = _count(verdict, anomaly)
        if seen not in (wanted if isinstance(wanted, range) else [wanted]):
            found.append(f"{seen} {anomaly}, not {_said(wanted)}")
    bad = verdict.table.loc[verdict.table["allowed"] == "", "anomaly"]
    if not set(bad) <= set(row.shows) or (verdict.outcome == "unknown"):
        found.append(verdict.text)
    return found


def _said(wanted: int | range) -> str:
    if isinstance(wanted, int):
        return str(wanted)
    return "some" if wanted == SOME else f"{wanted.start} to {wanted.stop - 1}"


def _count(verdict: Verdict, *anomalies: str) -> int:
    vanished = verdict.counts["unknown"] - verdict.counts["landed"]
    return sum(vanished if name == VANISHED else verdict.count(name) for name in anomalies)


def _compacted(verdict: Verdict) -> int:
    """Return how many records are gone because the topic keeps the last one of each key alone."""
    table = verdict.table
    excused = (table["anomaly"] == "lost") & table["allowed"].astype(bool)
    return int(table.loc[excused, "count"].sum())


def _outcome(scene: Scene, row: Row, seed: int, verdict: Verdict | None, why: str) -> Outcome:
    def count(*anomalies: str) -> int:
        return _count(verdict, *anomalies) if verdict else -1

    vanished = {VANISHED} & set(row.shows)
    compacted = _compacted(verdict) if verdict else 0
    return Outcome(
        row=row.row,
        fault=row.fault,
        settings=row.settings,
        seed=seed,
        records=verdict.counts["sent"] if verdict else 0,
        acknowledged=verdict.counts["acknowledged"] if verdict else 0,
        lost=count("lost", "effect missing", *vanished) - compacted,
        expired=scene.expired + compacted,
        duplicated=count("duplicate", "effect doubled"),
        reordered=count("reordered", "key split"),
        gap_seconds=round(scene.gap(), 3),
        verdict=verdict.outcome if verdict else "none",
        holds=not why,
        why=why,
        source=row.source,
    )


def table(outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """Return a row for each run."""
    import pandas as pd

    return pd.DataFrame(map(asdict, outcomes), columns=list(Outcome.__dataclass_fields__))


def summary(played: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each row of the matrix: sums, median and maximum over its runs.

    What was not judged counts nothing; a gap is one in the acknowledgements of steady traffic,
    NaN for rows without.
    """
    import pandas as pd

    sums = ["records", "acknowledged", "lost", "expired", "duplicated", "reordered"]
    told = []
    for row, some in played.groupby("row", sort=False):
        first = some.iloc[0]
        told.append(
            {
                "row": row,
                "fault": first["fault"],
                "settings": first["settings"],
                "runs": len(some),
                **{name: some[name].clip(lower=0).sum() for name in sums},
                "gap_median_seconds": some["gap_seconds"].median(),
                "gap_max_seconds": some["gap_seconds"].max(),
                "verdict": ", ".join(dict.fromkeys(some["verdict"])),
                "source": first["source"],
                "holds": f"{int(some['holds'].sum())} of {len(some)}",
            }
        )
    return pd.DataFrame(told, columns=COLUMNS)
