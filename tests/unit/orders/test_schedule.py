"""Ticks are where they should be on a clock, and an action's trouble is its own."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from eventlab.errors import InvalidSetting
from eventlab.orders.background import running
from eventlab.orders.schedule import Schedule, ticks
from eventlab.waiting import wait_until
from tests.unit.refusals import refused


class Clock:
    """A clock that moves when somebody waits, or is told to."""

    def __init__(self, end: float) -> None:
        self.time, self.end = 1000.0, 1000.0 + end

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> bool:
        assert seconds >= 0
        self.time += seconds
        return self.time > self.end


def played(every, end, takes, catches_up=False):
    """Return (tick, when it began) of actions that take so long, one after the other."""
    clock, seen, durations = Clock(end), [], iter(takes)
    for tick in ticks(every, catches_up, clock.now, clock.wait):
        seen.append((tick, clock.time - 1000))
        clock.time += next(durations, 0)
    return seen


def test_the_first_tick_is_at_once_and_the_others_do_not_drift():
    """Each begins at n * every although every action takes a part of the time."""
    assert played(10, 45, [3, 9, 1, 0.5, 2]) == [(0, 0), (1, 10), (2, 20), (3, 30), (4, 40)]


def test_ten_thousand_ticks_of_a_tenth_are_where_they_should_be():
    """Adding up 0.1 ten thousand times would be off; multiplying is not."""
    assert played(0.1, 1000, [])[10_000][1] == pytest.approx(1000, abs=1e-6)


def test_missed_ticks_are_left_out_and_the_next_one_is_at_its_time():
    """An action of 25 s on a schedule of 10 s: ticks 1 and 2 are gone, 3 is at 30."""
    assert played(10, 45, [25]) == [(0, 0), (3, 30), (4, 40)]


def test_missed_ticks_are_caught_up_one_after_the_other():
    """All are done, late ones at once, until the schedule is where it should be."""
    expected = [(0, 0), (1, 25), (2, 25), (3, 30), (4, 40)]
    assert played(10, 45, [25], catches_up=True) == expected


def test_an_action_that_ends_right_at_a_tick_has_not_missed_it():
    assert played(10, 25, [10, 0]) == [(0, 0), (1, 10), (2, 20)]


def test_a_schedule_counts_and_an_action_that_raises_does_not_end_it(caplog):
    """It is told in the log, once each time, and the next tick comes."""
    calls = []

    def action():
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("no luck")

    schedule = Schedule(0.001, action)
    with caplog.at_level(logging.ERROR, "eventlab"), running(schedule.run):
        wait_until(lambda: len(calls) >= 4, 10, lambda: f"It was called {len(calls)} times.")
    assert schedule.failed == 1
    assert schedule.done == len(calls) - 1
    assert [record.exc_info[1].args for record in caplog.records] == [("no luck",)]


def test_ticks_that_were_skipped_are_counted():
    """The first action takes as long as five ticks, the second one ends it."""
    stop, began = threading.Event(), time.monotonic()

    def action():
        if schedule.done:
            stop.set()
        wait_until(lambda: time.monotonic() > began + 0.055, 5, "Time stands still.", every=0.001)

    schedule = Schedule(0.01, action)
    schedule.run(stop)
    assert schedule.done == 2
    assert schedule.skipped >= 5


def test_a_stopped_schedule_ends_at_once_although_its_next_tick_is_far():
    schedule = Schedule(3600, lambda: None)
    with running(schedule.run, within=5) as thread:
        wait_until(lambda: schedule.done == 1, 5, "The first tick did not come.")
    assert not thread.is_alive()


@pytest.mark.parametrize("every", [0, -1, float("nan"), float("inf"), "1", None, True, 1e300])
def test_a_period_is_a_number_of_seconds(every):
    with refused(InvalidSetting, "every"):
        Schedule(every, print)


def test_a_policy_is_one_of_two():
    with refused(InvalidSetting, "'later'", "'skip' or 'catch up'"):
        Schedule(1, print, missed="later")


def test_an_action_can_be_called():
    with refused(InvalidSetting, "'publish'"):
        Schedule(1, "publish")
