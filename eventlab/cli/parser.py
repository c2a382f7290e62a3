"""The commands, their options, and an example of each: what `--help` prints."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from eventlab import __version__
from eventlab.cli import checkout, cluster, doctor, lab, matrix, orders_parser
from eventlab.cli.command import add

if TYPE_CHECKING:
    from eventlab.cli.command import Commands


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="eventlab",
        description="Learn event-driven systems on a live three-broker Kafka cluster.",
        epilog="examples:\n  eventlab lab\n  eventlab up --json\n  eventlab down",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"eventlab {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _cluster_commands(commands)
    _lab_commands(commands)
    orders_parser.add(commands)
    return top


def _cluster_commands(commands: Commands) -> None:
    up = add(commands, "up", cluster.up, "start a cluster that runs until `down`", "up --brokers 5")
    up.add_argument("--brokers", type=int, metavar="N", help="how many brokers (default: 3)")
    up.add_argument("--profile", help="lab, stock or small (default: lab)")
    up.add_argument("--backend", help="embedded, compose or testcontainers (default: embedded)")
    up.add_argument("--port", type=int, help="the first broker's port (default: a free one)")
    up.add_argument(
        "--data", metavar="FOLDER", help="a folder for records that outlive the cluster"
    )
    up.add_argument(
        "--property", action="append", default=[], metavar="KEY=VALUE", help="a broker property"
    )
    up.add_argument("--owner", type=int, metavar="PID", help="run as long as this process does")
    down = add(commands, "down", cluster.down, "end a cluster, whoever uses it", "down --all")
    down.add_argument("--all", action="store_true", help="end every cluster of this user")
    status = add(commands, "status", cluster.status, "say what runs and where", "status --json")
    logs = add(commands, "logs", cluster.logs, "show what a node has written", "logs 1 --lines 50")
    logs.add_argument("node", nargs="?", type=int, help="a node_id (default: every node)")
    logs.add_argument("--lines", type=int, default=20, metavar="N", help="how many (default: 20)")
    for command in (up, down, status, logs):
        command.add_argument("--name", default="lab", help="which cluster (default: lab)")
    for command in (up, down, status):
        command.add_argument("--json", action="store_true", help="print JSON for a program")


def _lab_commands(commands: Commands) -> None:
    opened = add(commands, "lab", lab.lab, "open JupyterLab on the lessons, with a cluster", "lab")
    opened.add_argument("--no-browser", action="store_true", help="print the URL, open nothing")
    opened.add_argument(
        "--host", default="127.0.0.1", help="where JupyterLab listens (default: 127.0.0.1)"
    )
    opened.add_argument("--port", type=int, help="JupyterLab's port (default: a free one)")
    add(commands, "fetch", lab.fetch, "fetch and prepare all that working offline needs", "fetch")
    told = add(commands, "doctor", doctor.doctor, "say what is installed, running, wrong", "doctor")
    told.add_argument("--json", action="store_true", help="print JSON for a program")
    tests = add(commands, "test", checkout.test, "run all tests of a checkout", "test -k topics")
    tests.add_argument("pytest", nargs=argparse.REMAINDER, help="arguments for pytest")
    bench = add(commands, "bench", checkout.bench, "measure the promises", "bench start --json")
    bench.add_argument("figure", nargs="?", metavar="NAME", help="which benchmark (default: all)")
    bench.add_argument("--runs", type=int, metavar="N", help="runs each (default: its own)")
    bench.add_argument("--json", action="store_true", help="print one JSON object a line")
    faults = add(
        commands,
        "matrix",
        matrix.matrix,
        "play the fault matrix and judge it",
        "matrix --list",
        "matrix F1 F12",
        "matrix F20 --runs 5 --seed 7 --save runs.csv",
    )
    faults.add_argument("rows", nargs="*", metavar="ROW", help="which rows (default: all)")
    faults.add_argument("--list", action="store_true", help="say what the rows are, play none")
    faults.add_argument("--runs", type=int, default=1, metavar="N", help="of each (default: 1)")
    faults.add_argument("--records", type=int, default=1000, metavar="N", help="default: 1000")
    faults.add_argument("--seed", type=int, help="repeats a run (default: a new one, printed)")
    faults.add_argument("--save", metavar="FILE", help="write every run to a CSV file")
    faults.add_argument("--json", action="store_true", help="print one JSON object a row")
    build = add(commands, "build", checkout.build, "make notebooks/ from lessons/", "build --check")
    build.add_argument("--check", action="store_true", help="change nothing, fail if any differ")
