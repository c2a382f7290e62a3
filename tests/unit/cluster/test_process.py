"""A process is killed only when pid, start time and mark all say that it is ours."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import pytest

from eventlab.cluster import process
from eventlab.waiting import wait_until

MARK = "a folder of a cluster"


@pytest.fixture
def sleeper():
    """Return a process that carries the mark and does nothing until its input ends."""
    command = [sys.executable, "-c", "print(flush=True); input()"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=os.environ | {process.MARK: MARK}, **pipes) as child:
        child.stdout.readline()  # it runs now: its environment is its own
        yield child
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        child.kill()


def test_ours_is_killed(sleeper):
    """All three agree."""
    started = process.started_at(sleeper.pid)
    assert process.is_same(sleeper.pid, started)
    assert process.kill_marked(sleeper.pid, started, MARK)
    assert process.started_at(sleeper.pid) is None


@pytest.mark.parametrize(
    ("later", "mark"),
    [(-3600, MARK), (3, MARK), (0, "another folder"), (0, ""), (3, "another folder")],
)
def test_another_one_is_spared(later, mark, sleeper):
    """The pid was given to another process since, or that process is another cluster's."""
    started = process.started_at(sleeper.pid)
    assert not process.kill_marked(sleeper.pid, started + later, mark)
    assert sleeper.poll() is None


def test_an_unmarked_one_is_spared():
    """A process of the user's that never was a broker."""
    started = process.started_at(os.getpid())
    assert process.MARK not in os.environ
    assert not process.kill_marked(os.getpid(), started, "")
    assert not process.kill_marked(os.getpid(), started, MARK)


def test_a_pid_of_nobody_is_not_ours(sleeper):
    """It ended by itself."""
    started = process.started_at(sleeper.pid)
    sleeper.kill()
    wait_until(lambda: process.started_at(sleeper.pid) is None, 10, "It did not end.")
    assert not process.is_same(sleeper.pid, started)  # a zombie until it is waited for
    sleeper.wait()
    assert not process.kill_marked(sleeper.pid, started, MARK)
