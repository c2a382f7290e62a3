"""The repository is clean: linted, formatted, typed, small, and tied to no machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import eventlab

ROOT = Path(eventlab.__file__).parent.parent
PYTHON = ("benchmarks", "eventlab", "lab", "lessons", "tests")  # tables in Markdown stay aligned
LONGEST = 250  # lines of a module
LONGER = {  # and those that are, with the reason
    "eventlab/cluster/topics.py": 265,  # all that is done to topics, and what of it is refused
    "eventlab/cluster/cluster.py": 320,  # the one class that a learner holds, with its docstrings
    "eventlab/cluster/launch.py": 290,  # one path from settings to a cluster that is ready
    "benchmarks/history.py": 320,  # one benchmark, with the histories that it makes up
    "eventlab/history/producers.py": 270,  # what a recorded producer does, in one place
    "eventlab/history/recorder.py": 280,  # the columns that every client is recorded in
}
HOSTS = re.compile(
    r"pypi[.]org|pythonhosted|repo1?[.]maven|maven[.]apache[.]org|registry[.]npmjs"
    r"|proxy[.]golang|deb[.]debian|static[.]crates"
)
MACHINE = re.compile(r"(^|[^A-Za-z0-9_.])/(work|root|tmp|home/\w+|Users/\w+)/")


def tracked(*patterns: str) -> list[Path]:
    """Return the committed text files that match."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--", *patterns]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no checkout of git, so nothing tells which files are committed")
    paths = [ROOT / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def lines(path: Path) -> list[str]:
    """Return the lines of a text file."""
    return path.read_text("utf-8").splitlines()


def found(pattern: re.Pattern[str], *patterns: str) -> list[str]:
    """Return where a pattern occurs in committed files, this one left out."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked(*patterns)
        for number, line in enumerate(lines(path), 1)
        if path != Path(__file__) and pattern.search(line)
    ]


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", *PYTHON], ["mypy"]],
    ids=["ruff check", "ruff format", "mypy"],
)
def test_a_tool_finds_nothing(command):
    """Ruff and mypy, with the settings of pyproject.toml."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_modules_are_small():
    """One responsibility each; the few that are longer say why."""
    sizes = {path.relative_to(ROOT).as_posix(): len(lines(path)) for path in tracked("*.py")}
    package = {name: size for name, size in sizes.items() if name.startswith("eventlab/")}
    too_long = {n: size for n, size in package.items() if size > LONGER.get(n, LONGEST)}
    assert too_long == {}


def test_no_registry_is_named():
    """Packages and jars come from wherever the user's own tools are told to look."""
    assert found(HOSTS) == []


def test_no_path_of_a_machine_is_named():
    """What is committed works wherever it is put."""
    assert found(MACHINE) == []


def sleeps(path: Path) -> set[str]:
    """Return the functions of a module that wait for time to pass."""
    return {
        f"{path.relative_to(ROOT).as_posix()}: {function.name}"
        for function in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("sleep")
        if ast.unparse(node.args[0]) != "0"  # which lets others run, and waits for nothing
    }


def test_nobody_sleeps():
    """Everything waits for a condition, with a deadline; a sleep is a step of such a wait."""
    waiting = {
        "eventlab/waiting.py: wait_until",
        "eventlab/cluster/supervisor/__main__.py: _watch_nodes",
        "eventlab/cluster/supervisor/__main__.py: _watch_owners",
        "eventlab/cluster/supervisor/container.py: get_ready",
        "eventlab/cluster/supervisor/container.py: _until",
        "eventlab/cluster/supervisor/node.py: _until",
        "eventlab/cluster/supervisor/node.py: _open",
        "tests/unit/cluster/proxied.py: seen",
        # steps of chance, which wait for nothing
        "tests/unit/cluster/test_link.py: "
        "test_whatever_happens_to_a_link_bytes_keep_their_order_and_nothing_is_left",
        "tests/unit/cluster/test_link.py: test",
        "tests/repo/test_lab_script.py: wait_for",  # it knows nothing of eventlab
    }
    assert set().union(*map(sleeps, tracked("*.py", "lab"))) <= waiting


def test_skips_have_reasons():
    """A test that is not run says what is missing."""
    bare = re.compile(r"(skip|xfail)\(\s*\)|mark\.(skip|xfail)\s*$")
    assert found(bare, "tests/*.py") == []
