"""A bar is silent while it is quick, and says the same on a terminal, in a cell and in a pipe."""

from __future__ import annotations

import io
import sys
import time

import pytest

from eventlab.progress import Progress


class Clock:
    """A time that moves when the test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock that bars look at."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def run(bar: Progress, clock: Clock, seconds: int) -> None:
    """Let a bar go from 0 to `seconds` in as many seconds, four looks a second; end it."""
    for quarter in range(4 * seconds + 1):
        bar(quarter / 4, seconds)
        clock.now += 0.25
    bar(seconds, seconds)
    bar.close()


def test_what_is_over_in_two_seconds_shows_nothing(clock):
    """A bar that flickers says less than none."""
    stream = Terminal()
    run(Progress("Quick", stream=stream), clock, 1)
    assert stream.getvalue() == ""


def test_a_terminal_sees_one_line_that_changes(clock):
    """Every look goes back to the start of the line; the end stands on it."""
    stream = Terminal()
    run(Progress("Fetching", "MB", stream), clock, 10)
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    looks = text.split("\r")[1:]
    assert len(looks) > 20
    assert any("[##########..........] 5 of 10 MB about 5 s left" in look for look in looks)
    assert looks[-1].startswith("Fetching: done in 10 s")
    assert all(len(look.rstrip("\n")) >= 78 for look in looks)  # each covers the one before it


def test_a_pipe_gets_a_line_at_the_start_and_two_at_the_end(clock):
    """A log file is not filled with bars, however long the end takes."""
    stream = io.StringIO()
    bar = Progress("Fetching", "MB", stream)
    for done in (0, 1, 2, 3, 4, 4, 4, 4):
        clock.now += 1
        bar(done, 4)
    bar.close()
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert len(lines) == 3
    assert lines[0].startswith("Fetching: [")
    assert "4 of 4 MB" in lines[1]
    assert lines[2] == "Fetching: done in 8 s"
    assert "\r" not in stream.getvalue()


def test_no_time_is_told_before_it_can_be(clock):
    """After one thousandth, the rest is a guess of hours."""
    stream = Terminal()
    bar = Progress("Fetching", "MB", stream)
    clock.now += 3
    bar(1, 1000)
    assert "left" not in stream.getvalue()
    clock.now += 3
    bar(0, 0)
    assert "left" not in stream.getvalue()


def test_terminals_and_pipes_are_told_apart(monkeypatch):
    """Progress is no result: it goes to stderr, so that stdout can be piped on."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert Progress("x").stream is sys.stderr
