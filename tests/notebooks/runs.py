"""Running notebooks as CI does: kernels of this environment, and a cluster of the tests' own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from eventlab import environment

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "lessons").glob("[0-9][0-9]_*.py"))


@contextlib.contextmanager
def private_home() -> Iterator[dict[str, str]]:
    """Yield an environment whose cluster `lab` is not that of whoever runs the tests.

    Jars and start-up caches are shared with it, so nothing is fetched or made twice. Deadlines are
    three times as long, since a test that waits for what happens loses nothing by it.
    """
    # Short, since a path to a Unix socket may have about 100 characters.
    home = Path(tempfile.mkdtemp(prefix="el-", dir="/tmp"))
    for name in ("kafka", "prepared"):
        (environment.home() / name).mkdir(exist_ok=True)
        (home / name).symlink_to(environment.home() / name)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    env = {"EVENTLAB_PATIENCE": "3", **os.environ, "EVENTLAB_HOME": str(home), "PYTHONPATH": path}
    try:
        yield env
    finally:
        eventlab(env, "down")
        shutil.rmtree(home, ignore_errors=True)


def eventlab(env: dict[str, str], *arguments: str) -> None:
    """Run one command of `eventlab`, which has to succeed within ten minutes."""
    command = [sys.executable, "-m", "eventlab", *arguments]
    subprocess.run(command, env=env, check=True, timeout=600, stdout=subprocess.DEVNULL)


def nbval(notebook: Path, env: dict[str, str], deadline: int = 600) -> subprocess.CompletedProcess:
    """Run one notebook with nbval and the gate; the result has `returncode` and `stdout`."""
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "tests.notebooks.gate"]
    options += ["--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={deadline}"]
    (notebook.parent / "pytest.ini").write_text("[pytest]\n")  # not the project's own
    command = [sys.executable, "-m", "pytest", *options, notebook.name]
    return subprocess.run(
        command, cwd=notebook.parent, env=env, capture_output=True, text=True, timeout=1800
    )


def twice(notebook: str) -> str:
    """Return a notebook that holds all cells of this one, and then all of them again."""
    document = json.loads(notebook)
    again = [{**cell, "id": f"{cell['id']}-again"} for cell in document["cells"]]
    return json.dumps({**document, "cells": document["cells"] + again})


def without_promises(notebook: str) -> str:
    """Return a notebook whose outputs nobody compares."""
    document = json.loads(notebook)
    for cell in document["cells"]:
        tags = cell["metadata"].get("tags", [])
        cell["metadata"]["tags"] = [tag for tag in tags if tag != "nbval-check-output"]
    return json.dumps(document)
