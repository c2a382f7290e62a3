"""A function of a notebook as a program: it takes along what it names, and can be killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eventlab import programs
from eventlab.errors import InvalidSetting, NeverHappened
from tests.unit.refusals import assert_three_sentences

MAIN = """
import collections
import math as mathematics
import signal
import sys
import time
from contextlib import contextmanager
from decimal import Decimal

from eventlab import programs

PRICE, TAX = 20, {"GB": 0.5}
where, out = open(__file__), "a global with the name of an attribute"


def taxed(amount):
    return Decimal(amount * (1 + TAX["GB"]))


def count(number):
    return 0 if number == 0 else 1 + count(number - 1)


def sell(how, pieces):
    counter = collections.Counter(pieces=pieces)
    counter.where = [how(each) for each in [PRICE * counter["pieces"]]]
    print(counter.where[0], mathematics.floor(1.5), count(3))


def wait_for_ever():
    print("waiting", flush=True)
    while True:
        time.sleep(0.1)


def wait_for_sigterm():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("tidied up", flush=True) or 7))
    wait_for_ever()


def fail():
    raise ValueError("no")


class Till:
    '''Written over below.'''


class Till(collections.UserDict):
    tax = TAX

    def __init__(self, price=PRICE):
        super().__init__(price=price)

    def take(self):
        return taxed(self["price"])


@contextmanager
def opened(till, factory=Till):
    yield till or factory()


def serve(till):
    with opened(till()) as first, opened(None) as second:
        print(first.take(), second.take(), first.tax)
"""


def played(folder: Path, last: str) -> str:
    """Run a script whose functions are in `__main__`, as those of a notebook are."""
    path = folder / "notebook.py"
    path.write_text(f"{MAIN}\n\n{last}\n", "utf-8")
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_function_takes_along_what_it_names(tmp_path: Path) -> None:
    """Functions and itself, modules and their other names, classes, values; arguments as well."""
    last = "program = programs.start(sell, taxed, 2)\nprint(program.wait(), program.said)"
    assert played(tmp_path, last) == "0 60 1 3\n\n"


def test_a_class_takes_along_its_bases_decorators_and_defaults(tmp_path: Path) -> None:
    """The class that was written last under its name, and what its methods and defaults name."""
    last = "program = programs.start(serve, Till)\nprint(program.wait(), program.said)"
    assert played(tmp_path, last) == "0 30 30 {'GB': 0.5}\n\n"


def test_a_program_that_is_killed_says_so(tmp_path: Path) -> None:
    """SIGKILL is -9, and what it printed is there."""
    last = """
with programs.start(wait_for_ever) as program:
    while "waiting" not in program.said:
        pass
    print(program)
    program.kill()
print(program.wait(), program)
"""
    said = played(tmp_path, last)
    assert "· runs>" in said
    assert "· ended: -9>" in said


def test_a_program_that_is_stopped_ends_in_good_order(tmp_path: Path) -> None:
    """SIGTERM is what a platform sends: the exit code is that of the program's own ending."""
    last = """
with programs.start(wait_for_sigterm) as program:
    while "waiting" not in program.said:
        pass
    print(program.stop(), program.stop(), program.said.splitlines()[-1])
"""
    assert played(tmp_path, last) == "7 7 tidied up\n"


def test_a_program_ends_with_its_block(tmp_path: Path) -> None:
    """Nothing survives a cell that raised."""
    last = "with programs.start(wait_for_ever) as program:\n    pass\nprint(program.wait())"
    assert played(tmp_path, last) == "-9\n"


def test_what_went_wrong_in_a_program_is_told(tmp_path: Path) -> None:
    """Its exit code, and the error with its last line."""
    last = "program = programs.start(fail)\nprint(program.wait(), program.said.splitlines()[-1])"
    assert played(tmp_path, last) == "1 ValueError: no\n"


def test_who_waits_too_long_is_told() -> None:
    """A cell has a deadline."""
    with programs.Program("import time; time.sleep(100)") as program:
        with pytest.raises(NeverHappened) as told:
            program.wait(within=0.1)
        assert_three_sentences(told.value)


NOWHERE = type("Nowhere", (), {"__module__": "__main__"})


@pytest.mark.parametrize("given", [sys.stdout, lambda: 1, object(), sys, NOWHERE])
def test_what_cannot_travel_is_refused(given: object) -> None:
    """An open file, a function that is nowhere written: with what to do instead."""
    with pytest.raises(InvalidSetting) as told:
        programs.start(print, given)
    assert_three_sentences(told.value)
