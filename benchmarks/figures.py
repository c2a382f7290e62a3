"""The form of every figure, how figures are printed, and what several benchmarks measure with.

    figures.main(__doc__, measure)      # measure(runs) returns the figures

Each run's numbers go to stderr as they come; the figures on stdout are their medians.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from eventlab.cluster import jars, java, launch, process, ready, registry, topics
from eventlab.cluster.attach import attach_or_launch
from eventlab.cluster.settings import Settings
from eventlab.errors import EventlabError
from eventlab.waiting import Deadline

KEYS = ("figure", "value", "unit", "against", "ratio", "goal", "holds")

Numbers = dict[str, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that was measured, and what was promised of it.

    `goal` is the most that the ratio may be or, where it is compared against nothing, the value.
    A value of None was not measured; without a goal nothing was promised.
    """

    figure: str
    value: float | None
    unit: str
    goal: float | None = None
    against: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times what it is compared against."""
        return self.value / self.against if self.value is not None and self.against else None

    @property
    def holds(self) -> bool | None:
        """Whether the promise is kept; None when there is no promise or no measurement."""
        judged = self.value if self.against is None else self.ratio
        return None if judged is None or self.goal is None else judged <= self.goal

    def row(self) -> dict[str, Any]:
        """Return the figure as it is printed, numbers to three places."""
        values = (getattr(self, key) for key in KEYS)
        return {
            key: round(value, 3) if isinstance(value, float) else value
            for key, value in zip(KEYS, values, strict=True)
        }


def main(doc: str, measure: Callable[[int], Iterable[Figure]], runs: int = 10) -> int:
    """Measure as the command line asks, print; 1 when a promise does not hold."""
    options = parser(doc, runs).parse_args()
    if options.runs < 1:
        parser(doc, runs).error("--runs is a whole number from 1")
    try:
        found = list(measure(options.runs))
    except EventlabError as error:
        tell(str(error))
        return 1
    except KeyboardInterrupt:
        tell("Interrupted; what had been started was ended.")
        return 130
    print(header(options.runs), file=sys.stderr if options.json else sys.stdout)
    print(lines(found) if options.json else table(found))
    return 1 if any(figure.holds is False for figure in found) else 0


def parser(doc: str, runs: int) -> argparse.ArgumentParser:
    """Return the options that all benchmarks have."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--runs", type=int, default=runs, metavar="N", help=f"default: {runs}")
    made.add_argument("--json", action="store_true", help="print one JSON object a line")
    return made


def header(runs: int) -> str:
    """Say on which machine and with which versions it was measured, and how often."""
    memory = psutil.virtual_memory().total / 2**30
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB"
    versions = f"Python {platform.python_version()}, {_java()}, Kafka {jars.VERSION}"
    return f"{machine}; {versions}; medians of {runs} run{'s' if runs > 1 else ''}"


def _java() -> str:
    try:
        return f"Java {java.find().version}"
    except EventlabError:
        return "no Java"


def lines(found: Sequence[Figure]) -> str:
    """Return one JSON object a line."""
    return "\n".join(json.dumps(figure.row()) for figure in found)


def table(found: Sequence[Figure]) -> str:
    """Return the figures as a table, a dash where there is nothing to say."""
    rows = [KEYS, *(tuple(map(_cell, figure.row().values())) for figure in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = (
        "  ".join(
            cell.ljust(width) if key in ("figure", "unit") else cell.rjust(width)
            for key, cell, width in zip(KEYS, row, widths, strict=True)
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in aligned)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
    return str(value)


def tell(text: str) -> None:
    """Say something on stderr, where it is in no program's way."""
    print(text, file=sys.stderr, flush=True)


def interleaved(runs: int, **sides: Callable[[], Numbers]) -> dict[str, list[Numbers]]:
    """Run the sides in turn, A B A B, so that a slow minute of the machine is slow for both."""
    seen: dict[str, list[Numbers]] = {side: [] for side in sides}
    for run in range(1, runs + 1):
        for side, measure in sides.items():
            numbers = measure()
            seen[side].append(numbers)
            told = ", ".join(f"{name} {number:.3f}" for name, number in numbers.items())
            tell(f"run {run} of {runs}, {side}: {told}")
    return seen


def median(seen: Sequence[Numbers], name: str) -> float | None:
    """Return the median of one of the numbers over all runs; None when no run has it."""
    numbers = [numbers[name] for numbers in seen if name in numbers]
    return statistics.median(numbers) if numbers else None


def most(seen: Sequence[Numbers], name: str) -> float:
    """Return the largest of one of the numbers: what must never happen has no median."""
    return max(numbers[name] for numbers in seen)


@contextlib.contextmanager
def cluster(name: str = f"bench-{os.getpid()}") -> Iterator[dict[str, Any]]:
    """Start a cluster of one controller and three brokers as `Cluster.start()` does; end it."""
    try:
        yield attach_or_launch(Settings(name, brokers=3, profile="lab"), os.getpid())
    finally:
        launch.end(name)
        (registry.clusters() / f"{name}.lock").unlink(missing_ok=True)  # the name is never reused


def create_topic(bootstrap_servers: str, name: str, replicas: int) -> None:
    """Create a topic of three partitions; return when every broker knows their leaders."""
    admin = ready.admin_client(bootstrap_servers, Deadline(30))
    shape = {"num_partitions": 3, "replication_factor": replicas}
    try:
        admin.create_topics(
            {name: shape | {"configs": {"min.insync.replicas": max(1, replicas - 1)}}}
        )
        topics.await_leaders(admin, name, range(1, replicas + 1))
    finally:
        admin.close()


def pids(state: dict[str, Any]) -> list[int]:
    """Return the process ids of the nodes, the controller's first."""
    return [node["pid"] for node in sorted(state["nodes"], key=lambda n: "broker" in n["role"])]


def memory(pids: Iterable[int]) -> Numbers:
    """Return RSS and, where the system tells it (Linux), PSS of these processes, in MB.

    PSS divides a page that several processes share among them, so that it can be summed.
    """
    infos = [psutil.Process(pid).memory_full_info() for pid in pids]
    names = [name for name in ("rss", "pss") if hasattr(infos[0], name)]
    return {name: sum(getattr(info, name) for info in infos) / 1e6 for name in names}


def alive(pids: Iterable[int]) -> int:
    """Return how many of these processes still run."""
    return sum(process.started_at(pid) is not None for pid in pids)


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU time that these processes have used so far."""
    times = (psutil.Process(pid).cpu_times() for pid in pids)
    return sum(time.user + time.system for time in times)
