"""Each option of `eventlab orders` has a variable: one place, one reading, arguments win."""

from __future__ import annotations

import argparse
import warnings

import pytest

from eventlab import environment
from eventlab.cli import main
from eventlab.cli.parser import parser
from eventlab.cli.variables import Part, variable


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch):
    for name in ("EVENTLAB_SERVERS", "EVENTLAB_STORE"):
        monkeypatch.delenv(name, raising=False)


def commands(of):
    """Return the commands below a parser, by name."""
    [found] = [a for a in of._actions if isinstance(a, argparse._SubParsersAction)]
    return found.choices


PARTS = commands(commands(parser())["orders"])


@pytest.mark.parametrize("name", PARTS)
def test_every_option_has_a_variable_that_the_help_names(name):
    """Kafka and the database have those that other commands know too."""
    part = PARTS[name]
    assert isinstance(part, Part)
    told = " ".join(part.format_help().split())
    for action in part._actions:
        if action.dest != "help":
            assert len(action.option_strings) == 1
            assert f"[{variable(action)}]" in told
    assert "[EVENTLAB_SERVERS]" in told


@pytest.mark.parametrize(
    ("variables", "typed", "name", "value"),
    [
        ({"GROUP": "billing"}, "subscribe", "group", "billing"),
        ({"GROUP": " "}, "subscribe", "group", "shop"),
        ({"GROUP": "billing"}, "subscribe --group green", "group", "green"),
        ({"METRICS_PORT": "9101"}, "subscribe", "metrics_port", 9101),
        ({"METRICS_PORT": "9101"}, "relay --metrics-port=0", "metrics_port", 0),
        ({"METRICS_HOST": "0.0.0.0"}, "relay", "metrics_host", "0.0.0.0"),
        ({"TOKEN_FILE": "/run/token"}, "api", "token_file", "/run/token"),
        ({"CANCEL_AFTER": "0.5"}, "subscribe", "cancel_after", 0.5),
        ({"PARK": "true"}, "subscribe", "park", True),
        ({"PARK": "0"}, "subscribe", "park", False),
        ({"OUTBOX": "1", "PORT": "8080"}, "api", "outbox", True),
        ({"NAME": "shop.example"}, "api --name b", "name", ["shop.example", "b"]),
        ({"MISSED": "catch-up"}, "schedule", "missed", "catch-up"),
        ({"LOG": "json"}, "schedule", "log", "json"),
        ({"CLUSTER": "mine"}, "demo", "cluster", "mine"),
        ({"KEY": "--send"}, "replay", "key", "--send"),
        ({"PORT": "tcp://10.0.0.7:80"}, "subscribe", "group", "shop"),  # it has no --port
    ],
)
def test_a_variable_is_read_as_its_option(monkeypatch, variables, typed, name, value):
    """The same types and choices; what is typed wins, and what a command has not is left alone."""
    for ending, text in variables.items():
        monkeypatch.setenv(f"EVENTLAB_ORDERS_{ending}", text)
    options = parser().parse_args(["orders", *typed.split()])
    assert getattr(options, name) == value


def test_kafka_and_the_database_have_short_names(monkeypatch):
    monkeypatch.setenv("EVENTLAB_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("EVENTLAB_STORE", "other.db")
    options = parser().parse_args(["orders", "status"])
    assert (options.servers, options.store) == ("127.0.0.1:1", "other.db")


@pytest.mark.parametrize(
    ("ending", "text", "command"),
    [
        ("METRICS_PORT", "many", "relay"),
        ("MISSED", "later", "schedule"),
        ("PARK", "perhaps", "subscribe"),
        ("ORDERS", "1.5", "publish"),
    ],
)
def test_what_an_option_refuses_is_refused(monkeypatch, capsys, ending, text, command):
    """Code 2 and the usage, with the name of the variable: nobody has typed it here."""
    monkeypatch.setenv(f"EVENTLAB_ORDERS_{ending}", text)
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(["orders", command])
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert f"EVENTLAB_ORDERS_{ending}" in told
    assert repr(text) in told


@pytest.mark.parametrize("days", ["nan", "inf", "1e99", "-1", "0"])
@pytest.mark.parametrize("typed", [True, False])
def test_days_that_are_none_are_refused_before_anything_begins(monkeypatch, capsys, days, typed):
    """As one short line of three sentences, wherever they were said."""
    if not typed:
        monkeypatch.setenv("EVENTLAB_ORDERS_CANCEL_AFTER", days)
    more = [f"--cancel-after={days}"] if typed else []
    assert main(["orders", "subscribe", "--servers", "127.0.0.1:1", *more]) == 1
    told = capsys.readouterr().err
    assert told.startswith("eventlab: --cancel-after cannot be this.")
    assert told.count("\n") == 1


def test_they_are_no_unknown_names(monkeypatch):
    """A cluster that a demo starts says nothing of them."""
    monkeypatch.setenv("EVENTLAB_ORDERS_GROUP", "billing")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        environment.warn_of_unknown_names()
