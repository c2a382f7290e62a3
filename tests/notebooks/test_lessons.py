"""Every lesson runs, twice over, says what it promises, and its solutions are right."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from eventlab import lessons
from tests.notebooks.runs import LESSONS, nbval, twice

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)


@each_lesson
def test_a_lesson_runs_twice_in_one_kernel_with_the_outputs_it_promises(
    lesson: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    """Learners run cells again, and a deterministic cell has to show what the lesson says."""
    text = twice(lessons.with_expected_outputs(lesson))
    notebook = tmp_path / f"{lesson.stem}.ipynb"
    notebook.write_text(text, encoding="utf-8")
    ran = nbval(notebook, env)
    cells = sum(cell.cell_type == "code" for cell in nbformat.reads(text, 4).cells)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(rf"^{cells} passed in", ran.stdout, re.MULTILINE), ran.stdout


@each_lesson
def test_every_solution_passes_its_check(lesson: Path, tmp_path: Path, env: dict[str, str]) -> None:
    """In a fresh kernel, on a cluster that has seen the lesson before."""
    notebook = nbformat.reads(lessons.solved(lesson), 4)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=env)
    checks = [c for c in notebook.cells if "check" in c.metadata.get("tags", ())]
    said = {cell.id: "".join(output.get("text", "") for output in cell.outputs) for cell in checks}
    assert said
    assert all(text.startswith("Correct") for text in said.values()), said
