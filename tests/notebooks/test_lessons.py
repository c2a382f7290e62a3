"""Every lesson runs, says what it promises, and its exercises are judged by what was done.

    LESSONS_TWICE=1 pytest tests/notebooks     # as every night: each lesson twice in a kernel, too
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import nbformat
import pytest

from eventlab import lessons
from tests.notebooks.runs import LESSONS, nbval, twice

TWICE = LESSONS if os.environ.get("LESSONS_TWICE") else LESSONS[:1]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_a_lesson_says_what_it_promises_and_judges_what_was_done(
    lesson: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    """Cells show what the lesson says; starters are not attempted, solutions right, mutants named.

    A cell with a promise is deterministic. Each mutant gets the message that is meant for it.
    """
    assert_judged(lessons.attempted(lesson), lesson, tmp_path, env)


@pytest.mark.parametrize("lesson", TWICE, ids=lambda lesson: lesson.stem)
def test_a_lesson_runs_again(lesson: Path, tmp_path: Path, env: dict[str, str]) -> None:
    """Learners run all cells, attempt nothing, and run them all again: it shows the same."""
    text = twice(lessons.with_expected_outputs(lesson))
    assert_runs(text, tmp_path / f"{lesson.stem}.ipynb", env)


def assert_judged(text: str, lesson: Path, folder: Path, env: dict[str, str]) -> None:
    """Run a lesson with all attempts at its exercises; each check has to say what it should."""
    notebook = folder / f"{lesson.stem}.ipynb"
    assert_runs(text, notebook, env)
    said = dict(map(json.loads, notebook.with_suffix(".said").read_text().splitlines()))
    meant = _meant(lesson)
    assert list(said) == list(meant)
    wrong = {name: text for name, text in said.items() if not text.startswith(meant[name])}
    assert wrong == {}, {name: meant[name] for name in wrong}


def assert_runs(text: str, notebook: Path, env: dict[str, str]) -> None:
    """Run a notebook with nbval; all of its cells have to pass."""
    notebook.write_text(text, encoding="utf-8")
    ran = nbval(notebook, env)
    cells = sum(cell.cell_type == "code" for cell in nbformat.reads(text, 4).cells)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(rf"^{cells} passed in", ran.stdout, re.MULTILINE), ran.stdout


def _meant(lesson: Path) -> dict[str, str]:
    """Return how each check, by its id, has to begin what it says."""
    meant = {}
    for cell in lessons.read(lesson):
        if "check" in cell.tags:
            meant[cell.id] = "Not attempted yet"
        elif {"mutant", "solution"} & set(cell.tags):
            meant[f"{cell.id}-check"] = cell.expected or "Correct"
    return meant
