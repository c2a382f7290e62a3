"""A pytest plugin for nbval: a dead kernel or a timed-out cell fails the run, at once.

It keeps what checks of exercises say, too: in a file beside the notebook, a JSON object each line.

nbval 0.11 waits the whole cell deadline for the answer of a kernel that is dead, and after either
mishap marks all later cells as expected to fail, so that a report of 1 failed, 30 xfailed hides
how little was run.
"""

from __future__ import annotations

import json
import time
from queue import Empty

import pytest

SLICE = 0.5  # how often a waiting cell looks whether its kernel is alive, in seconds


class KernelDied(Exception):
    """The process that ran the cell has ended."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    kernel = getattr(item.parent, "kernel", None)
    if kernel is not None and "await_reply" not in vars(kernel):
        kernel.await_reply = _watching(kernel, kernel.await_reply)
    try:
        return (yield)
    finally:
        cell = getattr(item, "cell", None)
        if cell and "check" in cell.metadata.get("tags", ()):
            with item.path.with_suffix(".said").open("a") as file:
                file.write(json.dumps([cell.id, _said(item.test_outputs or ())]) + "\n")


def _said(outputs):
    """Return what a check printed, or the message of its failed assertion."""
    failed = [output.evalue for output in outputs if output.get("ename") == "AssertionError"]
    return "".join(failed or [output.get("text", "") for output in outputs])


def _watching(kernel, await_reply):
    def watched(msg_id, timeout):
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            try:
                return await_reply(msg_id, timeout=min(SLICE, max(left, 0)))
            except Empty:
                if not kernel.is_alive():
                    raise KernelDied("The kernel died while it ran this cell.") from None
                if left <= SLICE:
                    raise

    return watched


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    notebook = item.parent
    if report.failed and hasattr(notebook, "kernel"):
        if notebook.timed_out:
            item.session.shouldfail = f"{item.name} ran past its deadline"
        elif not notebook.kernel.is_alive():
            item.session.shouldfail = f"{item.name} ended its kernel"
    return report
