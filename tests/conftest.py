"""What all tests share: names of their own, and proof that nothing survives the run."""

from __future__ import annotations

import logging
import os

import psutil
import pytest

from eventlab.cluster import launch, process, registry
from eventlab.waiting import wait_until

PREFIX = f"test-{os.getpid():07}"  # of one length: none is how another one begins


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let pytest keep what kafka-python logs as words."""
    kept = session.config.pluginmanager.get_plugin("logging-plugin")
    for handler in (kept.caplog_handler, kept.report_handler):
        handler.addFilter(_in_words)


def _in_words(record: logging.LogRecord) -> bool:
    """Make a record of kafka-python a text: as it is, it holds a connection, with its socket."""
    if record.name.startswith("kafka."):
        record.msg, record.args = record.getMessage(), None
        if record.exc_info:
            record.exc_text = record.exc_text or logging.Formatter().formatException(
                record.exc_info
            )
            record.exc_info = None
    return True


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
