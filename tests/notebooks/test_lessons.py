"""Every lesson runs, says what it promises, and its solutions are right.

    LESSONS_TWICE=1 pytest tests/notebooks     # as every night: all cells, and then all of them again
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from eventlab import lessons
from tests.notebooks.runs import LESSONS, nbval, twice

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)


@each_lesson
def test_a_lesson_runs_with_the_outputs_it_promises(
    lesson: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    """A deterministic cell has to show what the lesson says, also when learners run it again."""
    text = lessons.with_expected_outputs(lesson)
    text = twice(text) if os.environ.get("LESSONS_TWICE") else text
    notebook = tmp_path / f"{lesson.stem}.ipynb"
    notebook.write_text(text, encoding="utf-8")
    ran = nbval(notebook, env)
    cells = sum(cell.cell_type == "code" for cell in nbformat.reads(text, 4).cells)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(rf"^{cells} passed in", ran.stdout, re.MULTILINE), ran.stdout


@each_lesson
def test_each_exercise_is_judged_by_what_was_done(
    lesson: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    """The starter is not attempted, each mutant gets the message meant for it, the solution passes.

    In a fresh kernel, on a cluster that has seen the lesson before.
    """
    assert_judged(lesson, tmp_path, env)


def assert_judged(lesson: Path, folder: Path, env: dict[str, str]) -> None:
    """Run a lesson with all attempts at its exercises; each check has to say what it should."""
    notebook = nbformat.reads(lessons.attempted(lesson), 4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}})
    client.execute(env=env)
    said = {cell.id: _said(cell) for cell in notebook.cells if _tagged(cell, "check")}
    meant = _meant(lesson)
    assert list(said) == list(meant)
    wrong = {name: text for name, text in said.items() if not text.startswith(meant[name])}
    assert wrong == {}, {name: meant[name] for name in wrong}


def _tagged(cell: nbformat.NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", ())


def _said(cell: nbformat.NotebookNode) -> str:
    """Return what a check printed, or the message of its failed assertion."""
    failed = [o.evalue for o in cell.outputs if o.get("ename") == "AssertionError"]
    return "".join(failed or [output.get("text", "") for output in cell.outputs])


def _meant(lesson: Path) -> dict[str, str]:
    """Return how each check, by its id, has to begin what it says."""
    meant = {}
    for cell in lessons.read(lesson):
        if "check" in cell.tags:
            meant[cell.id] = "Not attempted yet"
        elif {"mutant", "solution"} & set(cell.tags):
            meant[f"{cell.id}-check"] = cell.expected or "Correct"
    return meant
