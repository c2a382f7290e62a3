"""Imports point one way: what the order system, the charts and the supervisor may know of."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import eventlab

PACKAGE = Path(eventlab.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """Return the dotted name of a module of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Return what a module imports at run time, anywhere in it; `from x import y` may be `x.y`."""
    return set(_imports(ast.parse(path.read_text("utf-8"))))


def _imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports say where they come from"
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield whole if _is_module(whole) else str(node.module)
    for child in ast.iter_child_nodes(node):
        yield from _imports(child)


def _is_module(name: str) -> bool:
    place = PACKAGE.parent.joinpath(*name.split("."))
    return place.is_dir() or place.with_suffix(".py").is_file()


def is_below(name: str, *tops: str) -> bool:
    """Say whether a module is one of these or inside one of them."""
    return any(name == top or name.startswith(f"{top}.") for top in tops)


def is_standard(name: str) -> bool:
    """Say whether a module comes with Python."""
    return name.split(".")[0] in sys.stdlib_module_names


def inside(*tops: str) -> list[Path]:
    """Return the modules of these parts of the package; there must be some."""
    found = [path for path in MODULES if is_below(name_of(path), *tops)]
    assert found, tops
    return found


def below(path: Path, *tops: str) -> set[str]:
    """Return what a module imports of these parts."""
    return {name for name in imports(path) if is_below(name, *tops)}


ERRORS = "eventlab.errors"


# What parts of the order system may know besides Python; the others do not know these parts.
WAITING, CLUSTER = "eventlab.waiting", "eventlab.cluster"
WEB = {"fastapi", "starlette", "uvicorn", "h11", "socketio"}
FIGURES = "prometheus_client"
SEEN = {"eventlab.observe", "eventlab.charts", "eventlab.faults"}
BEYOND = {
    "eventlab.orders.store": {"sqlalchemy", "pandas", "filelock"},
    "eventlab.orders.handlers": {"sqlalchemy"},
    "eventlab.orders.publisher": {"kafka", CLUSTER, WAITING},
    "eventlab.orders.outbox": {"sqlalchemy", CLUSTER, WAITING},
    "eventlab.orders.schedule": {WAITING},
    "eventlab.orders.inbox": {"sqlalchemy"},
    "eventlab.orders.timers": {"sqlalchemy"},
    "eventlab.orders.traces": {"opentelemetry"},
    "eventlab.orders.avro": {"fastavro"},
    "eventlab.orders.views": {"sqlalchemy", "pandas"},
    "eventlab.orders.subscriber": {"kafka", "pandas", CLUSTER, WAITING},
    "eventlab.orders.background": {WAITING},
    "eventlab.orders.topics": {"kafka", CLUSTER},
    "eventlab.orders.web": {
        *("sqlalchemy", "kafka", "eventlab.environment", CLUSTER, WAITING, FIGURES, *WEB)
    },
    "eventlab.orders.processes": {*("pandas", CLUSTER, WAITING, FIGURES, *SEEN)},
}


@pytest.mark.parametrize("path", inside("eventlab.orders"), ids=name_of)
def test_what_an_order_is_needs_nothing_but_python(path):
    """Domain and events can be read, and tested, without a cluster; SQL and Kafka have places."""
    allowed = {"eventlab.orders", "eventlab.bundled", "eventlab.errors"}
    parts = [part for part in BEYOND if is_below(name_of(path), part)]
    for part in parts:
        allowed |= BEYOND[part]
    others = {name for name in imports(path) if not is_standard(name)}
    assert not {name for name in others if not is_below(name, *allowed)}
    if not parts:
        assert not below(path, *BEYOND)


def test_handlers_and_what_fills_the_outbox_know_no_kafka():
    """An effect and the events that follow from it are written by a program without a client."""
    effects = ("inbox", "timers", "views", "store", "handlers")
    parts = inside(*(f"eventlab.orders.{name}" for name in effects))
    outbox = inside("eventlab.orders.outbox", "eventlab.orders.outbox.rows")
    for path in [*parts, *(p for p in outbox if p.stem != "relay")]:
        assert not below(path, "kafka", "eventlab.orders.publisher", "eventlab.orders.subscriber")


def test_only_the_web_side_knows_the_web():
    """Who publishes and subscribes never loads it; what a command means can be read without it."""
    web, run_it = "eventlab.orders.web", ("eventlab.orders.processes.demo", "eventlab.cli.orders")
    for path in MODULES:
        if not is_below(name_of(path), web):
            assert not below(path, *WEB), path
            assert is_below(name_of(path), *run_it) or not below(path, web), path
    for name in ("commands", "requests", "intake", "views", "direct", "feed", "access", "limits"):
        [path] = inside(f"{web}.{name}")
        assert not below(path, *WEB), name
    knowing = {path.stem for path in inside(web) if below(path, "kafka")}
    assert knowing == {"feed"}


@pytest.mark.parametrize("path", inside("eventlab.charts"), ids=name_of)
def test_charts_know_nothing_of_kafka(path):
    """A DataFrame in, Axes out: a chart of anything with these columns, and never pyplot."""
    others = {name for name in imports(path) if not is_standard(name)}
    known = ("eventlab.charts", "eventlab.errors", "matplotlib", "numpy", "pandas")
    assert others == {name for name in others if is_below(name, *known)}
    assert not {name for name in others if is_below(name, "matplotlib.pyplot")}


@pytest.mark.parametrize("path", inside("eventlab.observe"), ids=name_of)
def test_observation_knows_the_cluster_and_nothing_above(path):
    """It looks, and leaves it to others to draw, to break and to judge what it saw."""
    allowed = ("eventlab.observe", "eventlab.cluster", "eventlab.errors", "eventlab.waiting")
    ours = {name for name in imports(path) if is_below(name, "eventlab")}
    assert ours == {name for name in ours if is_below(name, *allowed)}
    assert not {name for name in imports(path) if is_below(name, "matplotlib")}


def test_few_modules_of_observation_know_the_client():
    """How brokers are asked, what they are asked, how topics are read; nothing private of it."""
    knowing = {
        name_of(path).removeprefix("eventlab.observe."): path
        for path in inside("eventlab.observe")
        if any(is_below(name, "kafka") for name in imports(path))
    }
    assert set(knowing) == {"client", "messages", "group_messages", "reading"}
    for path in knowing.values():
        private = {name for name in imports(path) if is_below(name, "kafka") and "._" in name}
        reached = re.findall(r"(?:_manager|_net|consumer|cluster)\._\w+", path.read_text("utf-8"))
        assert (private, reached) == (set(), [])


HISTORY = "eventlab.history"
JUDGE = tuple(f"{HISTORY}.{name}" for name in ("judge", "tables", "frames", "owners", "words"))


@pytest.mark.parametrize("path", inside(*JUDGE), ids=name_of)
def test_the_judge_knows_tables_of_numbers_alone(path):
    """A history of any client, cluster or file can be judged: no kafka, no cluster, no recorder."""
    ours = {name for name in imports(path) if not is_standard(name)}
    assert not {name for name in ours if not is_below(name, *JUDGE, "numpy", "pandas", ERRORS)}


def test_of_the_history_only_the_clients_of_the_judge_know_the_cluster():
    """And nothing of it knows charts, faults or lessons."""
    known = {name_of(path) for path in inside(HISTORY) if below(path, "eventlab.cluster")}
    assert known == {f"{HISTORY}.clients"}
    allowed = (HISTORY, ERRORS, "eventlab.cluster", "eventlab.waiting", "eventlab.progress")
    for path in inside(HISTORY):
        assert {name for name in below(path, "eventlab") if not is_below(name, *allowed)} == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_cluster_and_the_command_line_know_processes(path):
    """Everything else would work on a cluster that somebody else runs.

    The fault matrix kills and freezes clients as well, and lessons kill programs: a module each.
    """
    killing = ("eventlab.matrix.child", "eventlab.programs")
    if is_below(name_of(path), "eventlab.cluster", "eventlab.cli", *killing):
        return
    known = {n for n in imports(path) if is_below(n, "psutil", "subprocess", "multiprocessing")}
    assert known == set()


def test_programs_know_nothing_of_kafka_or_of_orders():
    """What runs in a process of its own is up to the notebook."""
    [path] = inside("eventlab.programs")
    ours = {name for name in imports(path) if not is_standard(name)}
    assert ours == {"eventlab.cluster.process", ERRORS, "eventlab.waiting"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_knows_the_command_line(path):
    """The library works without it."""
    if is_below(name_of(path), "eventlab.cli", "eventlab.__main__"):
        return
    assert not {name for name in imports(path) if is_below(name, "eventlab.cli")}


@pytest.mark.parametrize("path", inside("eventlab.cluster"), ids=name_of)
def test_the_cluster_knows_nothing_of_lessons_and_orders(path):
    """It can be used for something else than this workbook."""
    upper = ("eventlab.orders", "eventlab.lessons", "eventlab.charts", "matplotlib")
    assert not {name for name in imports(path) if is_below(name, *upper)}


def test_how_a_cluster_of_others_is_met_knows_no_process_and_no_client():
    """It speaks Kafka's protocol over a socket; nothing of what starts brokers is loaded."""
    words, calls = ("addresses", "security", "tls"), ("wire", "diagnosis", "meeting", "advertised")
    ours = {f"eventlab.cluster.{part}" for part in (*words, *calls, "clients")}
    ours |= {ERRORS, "eventlab.environment", "eventlab.waiting"}
    for path in inside(*(f"eventlab.cluster.{part}" for part in (*words, *calls))):
        assert below(path, "eventlab") <= ours
        assert not below(path, "kafka.admin", "kafka.consumer", "kafka.producer")
        assert path.stem in calls or not below(path, "kafka")


SUPERVISOR = "eventlab.cluster.supervisor"
# What a supervisor of containers takes along, and one of processes does not.
CONTAINERS = {"container", "containers", "compose", "disposable", "networks"}


def test_only_what_runs_containers_knows_of_docker():
    """An embedded cluster needs no Docker, and no package of its."""
    for path in MODULES:
        if below(path, "docker", "testcontainers"):
            ours = is_below(name_of(path), SUPERVISOR) and path.stem in CONTAINERS
            assert ours or path.stem in ("engine", "engine_client"), path


@pytest.mark.parametrize(
    "path",
    [p for p in inside(SUPERVISOR, "eventlab.cluster.process") if p.stem not in CONTAINERS],
    ids=name_of,
)
def test_the_supervisor_needs_python_and_psutil_alone(path):
    """It starts in a tenth of a second, and stays in memory as long as the cluster."""
    others = {found for found in imports(path) if not is_standard(found)}
    allowed = ("psutil", "eventlab.cluster.process", "eventlab.cluster.supervisor")
    assert {f for f in others if not is_below(f, *allowed)} <= {"eventlab.cluster"}
    code = f"import {name_of(path)}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    heavy = {"kafka", "pandas", "numpy", "filelock", "platformdirs", "jgo", "eventlab.errors"}
    assert not set(done.stdout.split()) & heavy


def test_faults_know_the_cluster_alone():
    """Hands do not need eyes: charts and observations are made elsewhere."""
    allowed = ("eventlab.cluster", "eventlab.errors", "eventlab.progress", "eventlab.waiting")
    for path in inside("eventlab.faults"):
        ours = {name for name in imports(path) if is_below(name, "eventlab")}
        assert not {name for name in ours if not is_below(name, "eventlab.faults", *allowed)}


def test_the_reader_of_this_test_sees_imports_wherever_they_are(tmp_path):
    """In a function, of a module from a package, but not what only a type checker imports."""
    text = (
        "from typing import TYPE_CHECKING\nfrom eventlab.cluster import jvm\n"
        "from eventlab.errors import InvalidSetting\n"
        "if TYPE_CHECKING:\n    import pandas\ndef f():\n    import kafka.admin\n"
    )
    (tmp_path / "example.py").write_text(text)
    expected = {"typing", "eventlab.cluster.jvm", "eventlab.errors", "kafka.admin"}
    assert imports(tmp_path / "example.py") == expected
