"""Lessons are text, notebooks are made from them: `lessons/*.py` to `notebooks/*.ipynb`.

Three readings of one lesson:

    for_learners(lesson)             what is committed: no output, each solution folded away
    with_expected_outputs(lesson)    the same, with the outputs that a run has to show
    solved(lesson)                   no output, with the solutions in place of the starters

A cell tagged `solution` answers the last cell before it that is tagged `exercise`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from eventlab.lessons.notebook import to_text
from eventlab.lessons.percent import Cell, MalformedLesson, read

__all__ = [
    "Cell",
    "MalformedLesson",
    "build",
    "check",
    "for_learners",
    "read",
    "solved",
    "with_expected_outputs",
]

_FOLDED = """<details>
<summary>A solution, when you have tried</summary>

```python
{}
```

</details>"""


def build(source: Path, target: Path) -> list[Path]:
    """Write the notebook of every lesson in `source` into `target` and return those that changed.

    Notebooks without a lesson stay; `check` names them. MalformedLesson where a lesson is wrong.
    """
    target.mkdir(parents=True, exist_ok=True)
    changed = []
    for lesson in _lessons(source):
        notebook, text = target / f"{lesson.stem}.ipynb", for_learners(lesson)
        if _text(notebook) != text:
            notebook.write_text(text, encoding="utf-8", newline="\n")
            changed.append(notebook)
    return changed


def check(source: Path, target: Path) -> list[str]:
    """Return one line for each notebook that is missing, out of date or without a lesson."""
    lessons = {lesson.stem: lesson for lesson in _lessons(source)}
    notebooks = {notebook.stem: notebook for notebook in target.glob("*.ipynb")}
    missing = [f"{name}.ipynb is missing" for name in lessons if name not in notebooks]
    orphans = [f"{name}.ipynb has no lesson" for name in sorted(notebooks) if name not in lessons]
    stale = [
        f"{name}.ipynb is not what {name}.py makes"
        for name, lesson in lessons.items()
        if name in notebooks and _text(notebooks[name]) != for_learners(lesson)
    ]
    return [*missing, *stale, *orphans]


def for_learners(lesson: Path) -> str:
    """Return the notebook that learners open: they predict first, so it shows no output."""
    return to_text(replace(cell, expected=None) for cell in _folded(read(lesson)))


def with_expected_outputs(lesson: Path) -> str:
    """Return the copy that nbval compares: cells with an expected output store it, and say so."""
    return to_text(_folded(read(lesson)))


def solved(lesson: Path) -> str:
    """Return the copy in which each exercise is its solution, to prove that its check passes."""
    cells: list[Cell] = []
    for cell, exercise in _with_exercises(lesson.name, read(lesson)):
        if exercise is None:
            cells.append(cell)
        else:
            cells[exercise] = replace(cells[exercise], source=cell.source)
    return to_text(replace(cell, expected=None) for cell in cells)


def _folded(cells: tuple[Cell, ...]) -> Iterator[Cell]:
    for cell, exercise in _with_exercises("A lesson", cells):
        folded = replace(cell, kind="markdown", source=_FOLDED.format(cell.source))
        yield cell if exercise is None else folded


def _with_exercises(name: str, cells: tuple[Cell, ...]) -> Iterator[tuple[Cell, int | None]]:
    """Yield each cell, a solution with the index (solutions not counted) of its exercise."""
    index, exercise = 0, None
    for cell in cells:
        if "solution" not in cell.tags:
            exercise = index if "exercise" in cell.tags else exercise
            index += 1
            yield cell, None
        elif exercise is None:
            raise MalformedLesson(
                "A solution has to come after its exercise.",
                f"{name} has the solution {cell.id or cell.source[:40]!r} before any.",
                'Tag the cell that it answers with tags=["exercise"].',
            )
        else:
            yield cell, exercise


def _lessons(source: Path) -> list[Path]:
    found = sorted(source.glob("[0-9][0-9]_*.py"))
    if not found:
        raise MalformedLesson(
            "There is no lesson to build.",
            f"{source} holds no file such as 00_first_light.py.",
            "Run this where the folder lessons/ is.",
        )
    return found


def _text(notebook: Path) -> str | None:
    return notebook.read_bytes().decode(errors="replace") if notebook.exists() else None
