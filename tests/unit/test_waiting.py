"""Waiting ends with the condition, or at its deadline with what was seen."""

from __future__ import annotations

import time

import pytest

from eventlab.errors import NeverHappened
from eventlab.waiting import Deadline, wait_until
from tests.unit.refusals import assert_three_sentences


@pytest.fixture(autouse=True)
def _usual_patience(monkeypatch):
    """These tests count seconds."""
    monkeypatch.setenv("EVENTLAB_PATIENCE", "1")


def test_what_is_true_already_is_not_waited_for():
    """The value itself is returned, even with no time left."""
    begun = time.monotonic()
    assert wait_until(lambda: "value", 60, "Nothing.") == "value"
    assert wait_until(lambda: [1], Deadline(0), "Nothing.") == [1]
    assert time.monotonic() - begun < 1


def test_the_first_true_value_ends_the_wait():
    """The condition is asked again until it holds, and not once more."""
    asked = iter([None, 0, "", [], "now", AssertionError])
    assert wait_until(lambda: next(asked), 10, "Nothing.", every=0.001) == "now"
    assert next(asked) is AssertionError


def test_the_deadline_shows_what_was_seen():
    """The state is that of the end of the wait, not of its beginning."""
    seen: list[int] = []
    with pytest.raises(NeverHappened) as caught:
        wait_until(lambda: seen.append(1), 0.05, lambda: f"{len(seen)} looks.", every=0.01)
    assert_three_sentences(caught.value)
    assert caught.value.args[0] == f"{len(seen)} looks."
    assert len(seen) >= 2
    assert isinstance(caught.value, TimeoutError)


def test_the_condition_is_asked_once_more_at_the_end():
    """A machine that was asleep must not fail a wait whose condition holds."""
    deadline = Deadline(0.02)
    assert wait_until(lambda: not deadline.left, deadline, "Nothing.", every=10)


def test_an_error_of_the_condition_is_not_swallowed():
    """What ended the wait was not the deadline."""
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 / 0, 10, "Nothing.")


def test_a_deadline_only_comes_nearer():
    """Nested waits share it, and none of them gets a negative time."""
    deadline = Deadline(0.01)
    first = deadline.left
    assert 0 < first <= 0.01
    wait_until(lambda: deadline.left == 0, 10, "It never ended.", every=0.001)
    assert deadline.left == 0
    assert Deadline(-5).left == 0


def test_patience_stretches_every_deadline(monkeypatch):
    """A slow machine waits longer, and its messages say how long."""
    monkeypatch.setenv("EVENTLAB_PATIENCE", "3")
    assert Deadline(10).seconds == 30
    assert 29 < Deadline(10).left <= 30
