"""What all tests share: names of their own, and proof that nothing survives the run."""

from __future__ import annotations

import os

import psutil
import pytest

from eventlab.cluster import launch, process, registry
from eventlab.waiting import wait_until

PREFIX = f"test-{os.getpid()}"


def marked_processes(prefix: str = PREFIX) -> list[int]:
    """Return the pids of JVMs and supervisors of clusters whose name starts so."""
    mark = str(registry.clusters() / prefix)
    return [p.pid for p in psutil.process_iter() if _belongs(p, mark)]


def _belongs(found: psutil.Process, mark: str) -> bool:
    try:
        told = [found.environ().get(process.MARK, ""), *found.cmdline()]
        return any(text.startswith(mark) for text in told)
    except psutil.Error:
        return False


def nothing_left(prefix: str = PREFIX) -> bool:
    """Say whether no process and no folder of these clusters is there."""
    folders = [name for name in registry.names() if name.startswith(prefix)]
    return not folders and not marked_processes(prefix)


@pytest.fixture(scope="session", autouse=True)
def _nothing_survives():
    """End what tests started; a process or a folder that is still there fails the run."""
    yield
    for name in registry.names():
        if name.startswith(PREFIX):
            launch.end(name)
    wait_until(nothing_left, 15, lambda: f"Left: {marked_processes()} {registry.names()}")


@pytest.fixture
def name(request: pytest.FixtureRequest):
    """Return a cluster name of the test's own; the cluster is ended after the test."""
    name = f"{PREFIX}-{abs(hash(request.node.nodeid)) % 10**6}"
    yield name
    launch.end(name)
    (registry.clusters() / f"{name}.lock").unlink(missing_ok=True)
