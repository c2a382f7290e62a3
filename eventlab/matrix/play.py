"""Playing rows: each run has a seed, is judged, and is told as a row of a table."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from eventlab import faults
from eventlab.cluster.cluster import Cluster
from eventlab.errors import EventlabError
from eventlab.matrix.rows import Row
from eventlab.matrix.scene import Scene

if TYPE_CHECKING:
    import pandas as pd

    from eventlab.history.judge.verdict import Verdict

COLUMNS = ["row", "fault", "settings", "runs", "records", "acknowledged", "lost", "duplicated",
           "reordered", "gap_median_seconds", "gap_max_seconds", "verdict", "holds"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run of one row."""

    row: str
    fault: str
    settings: str
    seed: int
    records: int
    acknowledged: int
    lost: int
    duplicated: int
    reordered: int
    gap_seconds: float
    verdict: str
    holds: bool
    why: str


def play(cluster: Cluster, row: Row, seed: int, records: int) -> Outcome:
    """Play a row once; whatever it breaks is mended."""
    scene = Scene(cluster, f"matrix-{row.row.lower()}-{seed}", seed, records)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that no broker is left is the point
            row.script(scene)
        verdict = scene.verify(**row.judge, within=120)
    except EventlabError as error:
        return _outcome(scene, row, seed, None, str(error))
    finally:
        faults.mend(cluster)
    return _outcome(scene, row, seed, verdict, "; ".join(_broken(scene, row, verdict)))


def _broken(scene: Scene, row: Row, verdict: Verdict) -> list[str]:
    """Return what the row promised and did not keep."""
    lost, found = verdict.count("lost"), list(scene.broken_promises)
    if row.lost == "exactly" and lost != scene.lost_on_purpose:
        found.append(f"{lost} lost, not {scene.lost_on_purpose}")
    if row.lost == "some" and not lost:
        found.append("nothing was lost")
    if row.lost == "none" and not verdict.valid:
        found.append(verdict.text.splitlines()[0])
    return found


def _outcome(scene: Scene, row: Row, seed: int, verdict: Verdict | None, why: str) -> Outcome:
    def count(anomaly: str) -> int:
        return verdict.count(anomaly) if verdict else -1

    return Outcome(
        row.row,
        row.fault,
        row.settings,
        seed,
        verdict.counts["sent"] if verdict else 0,
        len(scene.acknowledged),
        count("lost"),
        count("duplicate"),
        count("reordered"),
        round(scene.gap(), 3),
        verdict.outcome if verdict else "none",
        not why,
        why,
    )


def matrix(
    cluster: Cluster,
    rows: Iterable[Row],
    runs: int,
    seed: int,
    records: int,
    told: Callable[[Outcome], None] = lambda outcome: None,
) -> pd.DataFrame:
    """Play each row as often as asked for, with seeds that follow from one; return all runs."""
    import pandas as pd

    seeds = random.Random(seed)
    played = []
    for row in rows:
        for _ in range(runs):
            outcome = play(cluster, row, seeds.randrange(10**6), records)
            told(outcome)
            played.append(asdict(outcome))
    return pd.DataFrame(played)


def summary(played: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each row of the matrix: sums, median and maximum over its runs."""
    import pandas as pd

    told = []
    for row, runs in played.groupby("row", sort=False):
        first = runs.iloc[0]
        told.append(
            {
                "row": row,
                "fault": first["fault"],
                "settings": first["settings"],
                "runs": len(runs),
                "records": runs["records"].sum(),
                "acknowledged": runs["acknowledged"].sum(),
                "lost": runs["lost"].sum(),
                "duplicated": runs["duplicated"].sum(),
                "reordered": runs["reordered"].sum(),
                "gap_median_seconds": runs["gap_seconds"].median(),
                "gap_max_seconds": runs["gap_seconds"].max(),
                "verdict": ", ".join(dict.fromkeys(runs["verdict"])),
                "holds": f"{int(runs['holds'].sum())} of {len(runs)}",
            }
        )
    return pd.DataFrame(told, columns=COLUMNS)
