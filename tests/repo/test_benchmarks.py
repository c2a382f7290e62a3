"""Figures have one form, their arithmetic is right, and each benchmark can be asked what it does.

The numbers themselves are no matter of tests: `./lab bench` measures them on a quiet machine.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
NAMES = [
    "charts",
    "faults",
    "fresh",
    "history",
    "imports",
    "observe",
    "orders_api",
    "orders_backlog",
    "orders_publish",
    "orders_subscribe",
    "start",
    "volume",
]


@pytest.fixture(scope="module")
def figures():
    spec = importlib.util.spec_from_file_location("figures", FOLDER / "figures.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["figures"] = module  # a dataclass looks its module up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules["figures"]


def run(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60)


def test_a_figure_is_one_json_object_with_these_keys(figures):
    figure = figures.Figure("start", 2.0, "s", 0.75, 4.0)
    assert json.loads(figures.lines([figure])) == {
        "figure": "start",
        "value": 2.0,
        "unit": "s",
        "against": 4.0,
        "ratio": 0.5,
        "goal": 0.75,
        "holds": True,
    }


def test_the_keys_come_in_the_order_of_the_form(figures):
    keys = list(figures.Figure("down", 1.0, "s").row())
    assert keys == ["figure", "value", "unit", "against", "ratio", "goal", "holds"]


def test_each_figure_is_a_line_of_its_own(figures):
    two = [figures.Figure("one", 1.0, "s"), figures.Figure("two", 2.0, "s")]
    assert [json.loads(line)["figure"] for line in figures.lines(two).splitlines()] == [
        "one",
        "two",
    ]


@pytest.mark.parametrize(
    ("value", "goal", "against", "ratio", "holds"),
    [
        (3.0, 0.75, 4.0, 0.75, True),  # a goal that is just reached is reached
        (3.1, 0.75, 4.0, 0.775, False),
        (1.0, 2, None, None, True),  # against nothing the goal is the value's
        (2.1, 2, None, None, False),
        (0, 0, None, None, True),
        (1, 0, None, None, False),
        (3.0, None, 4.0, 0.75, None),  # nothing promised
        (None, 2, None, None, None),  # not measured
        (None, 0.75, 4.0, None, None),
        (3.0, 0.75, 0.0, None, None),  # no ratio to zero
    ],
)
def test_the_goal_is_the_most_that_the_ratio_or_else_the_value_may_be(
    figures, value, goal, against, ratio, holds
):
    figure = figures.Figure("any", value, "s", goal, against)
    assert (figure.ratio, figure.holds) == (pytest.approx(ratio) if ratio else ratio, holds)


def test_a_promise_is_judged_by_what_was_measured_not_by_what_is_printed(figures):
    figure = figures.Figure("any", 2.0004, "s", 2)
    assert (figure.row()["value"], figure.holds) == (2.0, False)


def test_a_table_says_no_aloud_and_tells_zero_from_no(figures):
    kept, broken = figures.table(
        [figures.Figure("kept", 0, "nodes", 0), figures.Figure("broken", 2500.0, "s", 2)]
    ).splitlines()[1:]
    assert kept.split() == ["kept", "0", "nodes", "-", "-", "0", "yes"]
    assert broken.split() == ["broken", "2,500", "s", "-", "-", "2", "NO"]


def test_the_header_names_machine_versions_and_runs(figures):
    header = figures.header(10)
    for part in ("cores", "GiB", "Python", "Java", "Kafka", "medians of 10 runs"):
        assert part in header


def test_sides_take_turns(figures, capsys):
    order = []
    sides = {name: lambda name=name: order.append(name) or {"s": 1.0} for name in ("a", "b")}
    seen = figures.interleaved(2, **sides)
    assert order == ["a", "b", "a", "b"]
    assert seen == {"a": [{"s": 1.0}] * 2, "b": [{"s": 1.0}] * 2}
    assert capsys.readouterr().out == ""  # a program reads the figures there


def test_a_median_skips_runs_without_the_number_and_is_none_without_any(figures):
    seen = [{"s": 1.0}, {}, {"s": 9.0}, {"s": 2.0}]
    assert (figures.median(seen, "s"), figures.median(seen, "pss")) == (2.0, None)


def test_what_must_never_happen_is_told_when_it_happened_once(figures):
    assert figures.most([{"lost": 0.0}, {"lost": 1.0}, {"lost": 0.0}], "lost") == 1.0


def test_a_broken_promise_is_an_exit_status(figures, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench", "--runs", "1", "--json"])
    assert figures.main("", lambda runs: [figures.Figure("kept", 1.0, "s", 2)]) == 0
    assert figures.main("", lambda runs: [figures.Figure("broken", 3.0, "s", 2)]) == 1
    holds = [json.loads(line)["holds"] for line in capsys.readouterr().out.splitlines()]
    assert holds == [True, False]


def test_the_benchmarks_are_these():
    told = run(sys.executable, "-m", "eventlab", "bench", "nonsense")
    assert told.returncode == 1
    assert f"Use one of: {', '.join(NAMES)}." in told.stderr


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_compares_and_why_that_is_fair(name):
    told = run(sys.executable, str(FOLDER / f"{name}.py"), "--help")
    assert told.returncode == 0
    assert "--runs N" in told.stdout
    assert "--json" in told.stdout
    assert "Compared:" in told.stdout or "Measured:" in told.stdout


def test_no_runs_at_all_is_refused():
    told = run(sys.executable, str(FOLDER / "start.py"), "--runs", "0")
    assert told.returncode == 2
    assert "--runs" in told.stderr
