"""`eventlab matrix`: break brokers and clients row by row, tell what became of the records."""

from __future__ import annotations

import argparse
import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from eventlab.cluster.cluster import Cluster
from eventlab.errors import InvalidSetting, shown

if TYPE_CHECKING:
    from eventlab.matrix.play import Outcome
    from eventlab.matrix.row import Row


def matrix(options: argparse.Namespace) -> int:
    """Play rows on a cluster of its own; 1 when a promise does not hold, 130 when interrupted."""
    from eventlab.matrix.rows import chosen

    rows = chosen(options.rows)
    if options.list:
        for row in rows:
            print(f"{row.row:5} {row.fault} ({row.settings}): {row.expected}")
        return 0
    for name in ("runs", "records"):
        _refuse_below_one(name, getattr(options, name))
    if options.save:
        _refuse_unwritable(options.save)
    outcomes: list[Outcome] = []
    try:
        _play(options, rows, outcomes)
    except KeyboardInterrupt:
        print("\neventlab: interrupted; what was broken is mended.", file=sys.stderr)
        _tell(options, rows, outcomes)
        return 130
    _tell(options, rows, outcomes)
    return 0 if all(outcome.holds for outcome in outcomes) else 1


def _play(options: argparse.Namespace, rows: list[Row], outcomes: list[Outcome]) -> None:
    """Play the rows, and say of each run how it went, and how to play it again."""
    from eventlab.matrix.play import PROPERTIES, play

    seed = random.randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}; one run again: eventlab matrix ROW --seed ITS_SEED", file=sys.stderr)
    runs = [(row, seed + number) for row in rows for number in range(options.runs)]
    with Cluster(f"matrix-{os.getpid()}", properties=PROPERTIES) as cluster:
        for number, (row, its) in enumerate(runs, 1):
            start = f"{number} of {len(runs)}: {row.row}, seed {its}, {row.fault} ... "
            print(start, end="", file=sys.stderr, flush=True)
            outcome = play(cluster, row, its, options.records)
            told = "as promised" if outcome.holds else f"NOT as promised: {outcome.why}"
            print(told, file=sys.stderr, flush=True)
            outcomes.append(outcome)


def _tell(options: argparse.Namespace, rows: list[Row], outcomes: list[Outcome]) -> None:
    """Print the table of what was played, save each run, and say where Kafka surprises."""
    from eventlab.matrix.play import summary, table

    played = table(outcomes)
    if options.save:
        played.to_csv(Path(options.save), index=False)
    if options.json:
        print(summary(played).to_json(orient="records", lines=True), end="")
    elif outcomes:
        print(summary(played).drop(columns="source").to_string(index=False, na_rep="-"))
        for row in rows:
            if row.source:
                print(f"{row.row}: {row.source}.")


def _refuse_below_one(name: str, value: int) -> None:
    if value < 1:
        raise InvalidSetting(
            f"--{name} cannot be this.",
            f"You gave {shown(value)}.",
            f"Use a whole number from 1, such as --{name} 3.",
        )


def _refuse_unwritable(path: str) -> None:
    """Refuse a file that cannot be written, before anything is started."""
    try:
        Path(path).open("a").close()
    except OSError as error:
        raise InvalidSetting(
            "--save cannot be this.",
            f"Writing {path} gave: {error.strerror}.",
            "Use a file in a folder that you may write to, such as --save matrix.csv.",
        ) from None
