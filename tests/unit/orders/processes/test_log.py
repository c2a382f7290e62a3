"""What a process says: one line each, whoever reads it."""

from __future__ import annotations

import json
import logging

import pytest

from eventlab.orders.processes.log import ForPeople, JsonLines


def record(message, *args, error=None):
    exc_info = (type(error), error, None) if error else None
    return logging.LogRecord("shop", logging.WARNING, "", 0, message, args, exc_info)


def test_a_json_line_has_what_a_program_asks_for():
    """Time in UTC, level, logger, message and process."""
    said = json.loads(JsonLines().format(record("%d events", 3)))
    assert (said["level"], said["logger"], said["message"]) == ("warning", "shop", "3 events")
    assert said["time"].endswith("+00:00")
    assert said["process"]


def test_a_json_line_is_one_line_with_its_error():
    """A traceback has many lines, and is one string here."""
    line = JsonLines().format(record("it failed", error=ValueError("no")))
    assert "\n" not in line
    assert "ValueError: no" in json.loads(line)["error"]


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x07", "a\nb", "\x9b31m"])
def test_an_event_cannot_move_the_cursor_of_who_reads(evil):
    """What somebody has sent may be in a message."""
    line = ForPeople().format(record("got %s here", evil))
    assert "here" in line
    assert not any(character in line for character in "\x1b\x07\n\x9b")
