"""The gate fails what nbval forgives."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from eventlab.lessons.notebook import to_text
from eventlab.lessons.percent import Cell
from tests.notebooks.runs import ROOT, nbval


@pytest.fixture
def run(tmp_path: Path):
    """Return a function that runs cells with nbval, with no cluster."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}

    def run(*cells: str, deadline: int = 120, expected: str | None = None):
        notebook = tmp_path / "made_up.ipynb"
        made = [Cell("code", source) for source in cells]
        made += [Cell("code", "6 * 7", expected=expected)]
        notebook.write_text(to_text(made))
        return nbval(notebook, env, deadline)

    return run


def test_cells_that_show_what_was_expected_pass(run) -> None:
    """Without this, a gate that fails everything would look right."""
    assert run("x = 1", expected="42").returncode == 0


def test_another_output_than_expected_fails(run) -> None:
    """A stored output has to claim that it comes from a run, or nbval passes over it."""
    ran = run("x = 1", expected="43")
    assert ran.returncode == 1
    assert "1 failed, 1 passed" in ran.stdout


def test_a_kernel_that_dies_fails_the_run_at_once(run) -> None:
    """By itself nbval would wait for the whole deadline, then expect the other cells to fail."""
    begun = time.monotonic()
    ran = run("import os; os._exit(1)", "x = 1")
    assert ran.returncode == 1, ran.stdout
    assert time.monotonic() - begun < 60
    assert "ended its kernel" in ran.stdout
    assert "1 failed in" in ran.stdout


def test_a_cell_past_its_deadline_fails_the_run(run) -> None:
    """By itself nbval would report the cells after it as xfailed or xpassed."""
    ran = run("while True: pass", "x = 1", deadline=3)
    assert ran.returncode == 1, ran.stdout
    assert "ran past its deadline" in ran.stdout
    assert "1 failed in" in ran.stdout
