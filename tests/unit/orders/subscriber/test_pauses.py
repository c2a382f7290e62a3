"""What failed waits twice as long each time, not for ever, and long enough for a dead member."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest

from eventlab.orders.subscriber import OrderSubscriber
from eventlab.orders.subscriber.arguments import SETTINGS
from eventlab.orders.subscriber.pauses import LONGEST, Pauses, enough, pause
from eventlab.orders.subscriber.progress import part_of
from eventlab.waiting import wait_until
from tests.unit.orders.inbox.arrivals import created, delivered

BACKOFF = inspect.signature(OrderSubscriber).parameters["backoff"].default


def total(backoff, tries):
    """Return for how many seconds an event is waited for: a pause between each two tries."""
    return sum(pause(backoff, failed) for failed in range(1, tries))


def test_a_pause_doubles_up_to_the_longest():
    assert [pause(0.2, n) for n in range(1, 8)] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5, 5])
    assert pause(0.2, 10_000) == LONGEST


@pytest.mark.parametrize("session", [0.5, 6.0, SETTINGS["session_timeout_ms"] / 1000, 45.0])
@pytest.mark.parametrize("backoff", [0.01, BACKOFF, 10.0])
def test_an_event_outlasts_the_session_of_a_member_that_died(backoff, session):
    """Its customer may be in a partition of that member, which nobody else has before.

    15 s more are for the group to share out the partitions, or for one of them to have a leader
    again; one try less would be too few.
    """
    tries = enough(backoff, session)
    assert total(backoff, tries) >= session + 15
    assert total(backoff, tries - 1) < session + 15


def tried(arrival, tries, partition):
    return replace(arrival, tries=tries, record=arrival.record._replace(partition=partition))


def test_each_partition_has_a_pause_of_its_own():
    """What fails in one does not let another one wait longer, nor be tried more often."""
    first, second = delivered(created(), created("O-2"))
    early, late = tried(first, 1, 0), tried(second, 12, 1)
    pauses = Pauses(0.02)
    pauses.begin([late], away=0)
    pauses.begin([early], away=0)
    assert pauses.last([early, late]) == {part_of(early), part_of(late)}
    due = lambda: pauses.last([early, late]) == {part_of(late)}  # noqa: E731
    wait_until(due, 2, "The short pause does not end.")
    pauses.begin([tried(first, 2, 0)], away=0)  # it fails again: the other one is not put off
    pauses.begin([late], away=1)  # the database is away: tries do not count
    wait_until(lambda: not pauses.last([early, late]), 2, "The pauses do not end.")
