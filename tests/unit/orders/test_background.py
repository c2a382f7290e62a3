"""What runs in the background ends with its block, and is heard when it fails."""

from __future__ import annotations

import threading

import pytest

from eventlab.errors import NeverHappened
from eventlab.orders.background import running
from eventlab.waiting import wait_until
from tests.unit.refusals import refused


def test_it_is_told_to_stop_and_waited_for():
    ended = []

    def run(stop):
        stop.wait()
        ended.append(True)

    with running(run) as thread:
        assert thread.is_alive()
    assert ended
    assert not thread.is_alive()


def test_what_it_raised_is_raised_at_the_end_of_the_block():
    def run(stop):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"), running(run) as thread:
        wait_until(lambda: not thread.is_alive(), 5, "It did not end.")


def test_what_the_block_raised_comes_first():
    def run(stop):
        stop.wait()
        raise ValueError("later")

    with pytest.raises(KeyError), running(run):
        raise KeyError("first")


def test_one_that_does_not_end_is_named():
    """The block ends in time all the same."""
    release = threading.Event()

    def deaf(stop):
        release.wait(30)

    with refused(NeverHappened, "deaf", "0.05 s"), running(deaf, within=0.05) as thread:
        pass
    release.set()
    thread.join(5)
