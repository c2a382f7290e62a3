"""`eventlab matrix`: break brokers row by row, and tell what became of the records."""

from __future__ import annotations

import argparse
import os
import random
import sys
from pathlib import Path

from eventlab.cluster.cluster import Cluster
from eventlab.errors import InvalidSetting, shown


def matrix(options: argparse.Namespace) -> int:
    """Play rows of the fault matrix on a cluster of its own; 1 when a promise does not hold."""
    from eventlab.matrix.play import Outcome, summary
    from eventlab.matrix.play import matrix as play_all
    from eventlab.matrix.rows import chosen

    rows = chosen(options.rows)
    if options.list:
        for row in rows:
            print(f"{row.row:5} {row.fault} ({row.settings}): {row.expected}")
        return 0
    for name in ("runs", "records"):
        _refuse_below_one(name, getattr(options, name))
    seed = random.randrange(10**6) if options.seed is None else options.seed
    again = f"eventlab matrix {' '.join(row.row for row in rows)} --runs {options.runs}"
    print(f"seed {seed}; again: {again} --records {options.records} --seed {seed}", file=sys.stderr)

    def told(outcome: Outcome) -> None:
        text = "as promised" if outcome.holds else f"NOT as promised: {outcome.why}"
        print(f"{outcome.row} (seed {outcome.seed}): {text}", file=sys.stderr, flush=True)

    with Cluster(f"matrix-{os.getpid()}") as cluster:
        played = play_all(cluster, rows, options.runs, seed, options.records, told)
    if options.save:
        played.to_csv(Path(options.save), index=False)
    if options.json:
        print(summary(played).to_json(orient="records", lines=True), end="")
    else:
        print(summary(played).to_string(index=False))
    return 0 if played["holds"].all() else 1


def _refuse_below_one(name: str, value: int) -> None:
    if value < 1:
        raise InvalidSetting(
            f"--{name} cannot be this.",
            f"You gave {shown(value)}.",
            f"Use a whole number from 1, such as --{name} 3.",
        )
