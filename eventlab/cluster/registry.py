"""The clusters of this user, a folder each; what a killed supervisor left is swept."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock

from eventlab import environment
from eventlab.cluster import control, process
from eventlab.cluster.settings import NAME, check_name
from eventlab.errors import ClusterNotRunning, EngineAway
from eventlab.waiting import Deadline


def clusters() -> Path:
    """Return the folder that holds a folder for each running cluster."""
    return environment.private_folder(environment.home() / "clusters")


def folder(name: str) -> Path:
    """Return the folder of the cluster of this name, whether it runs or not.

    InvalidSetting for what is no name: "../x" would be a folder that is not ours to remove.
    """
    check_name(name)
    return clusters() / name


def lock(name: str, seconds: float) -> FileLock:
    """Return the lock under which a cluster of this name is started or swept."""
    folder(name)  # refuses what is no name
    return FileLock(clusters() / f"{name}.lock", timeout=Deadline(seconds).seconds)


def running(name: str) -> dict[str, Any] | None:
    """Return the state of the cluster of this name, or None when it does not run."""
    if not (folder(name) / "control").exists():
        return None
    try:
        return control.ask(folder(name), "status")
    except ClusterNotRunning:
        return None


def names() -> list[str]:
    """Return the names of the clusters that have a folder."""
    folders = (path.name for path in clusters().iterdir() if path.is_dir())
    return sorted(name for name in folders if NAME.fullmatch(name))


def sweep(name: str) -> None:
    """Remove what is left of a cluster whose supervisor is gone; the caller holds its lock."""
    try:
        state = json.loads((folder(name) / "state.json").read_text("utf-8"))
    except (OSError, ValueError):
        state = {"supervisor": 0, "started": {}}
    started = {int(pid): when for pid, when in state["started"].items() if when}
    supervisor = int(state["supervisor"])
    if supervisor in started and process.is_same(supervisor, started[supervisor]):
        return
    for pid, when in started.items():
        process.kill_marked(pid, when, str(folder(name)))
    if not (folder(name) / "containers").exists() or _sweep_containers(folder(name)):
        shutil.rmtree(folder(name), ignore_errors=True)


def _sweep_containers(folder: Path) -> bool:
    """Say whether the engine has nothing of this cluster any more; False when it is away."""
    from eventlab.cluster import engine  # imported late: an embedded cluster needs no Docker

    try:
        with contextlib.closing(engine.client()) as client:
            engine.remove(client, folder)
    except EngineAway:  # the folder stays, for a sweep when the engine is back
        return False
    return True
