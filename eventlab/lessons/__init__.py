"""Lessons are text, notebooks are made from them: `lessons/*.py` to `notebooks/*.ipynb`.

Three readings of one lesson:

    for_learners(lesson)             what is committed: no output, each solution folded away
    with_expected_outputs(lesson)    the same, with the outputs that a run has to show
    attempted(lesson)                each exercise attempted, wrongly and rightly, and checked again

A cell tagged `solution` answers the exercise whose check is the last before it; so does one tagged
`mutant`, with a misconception, and its expected output is what the check has to say against it.
Learners never see a mutant.
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
    "attempted",
    "build",
    "check",
    "for_learners",
    "read",
    "with_expected_outputs",
]

_ATTEMPTS = {"mutant", "solution"}
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


def attempted(lesson: Path) -> str:
    """Return the copy in which each exercise is attempted by its mutants and by its solution.

    After each attempt comes the check, with the id of the attempt and `-check`; that of a mutant
    is tagged `raises-exception`, since it has to reject it. What is no attempt stores the outputs
    that a run has to show.
    """
    cells: list[Cell] = []
    for cell, check in _with_checks(lesson.name, read(lesson)):
        if not check:
            cells.append(cell)
            continue
        tags = (*check.tags, "raises-exception") if "mutant" in cell.tags else check.tags
        cells.append(replace(cell, expected=None))
        cells.append(replace(check, id=f"{cell.id}-check", tags=tags, expected=None))
    return to_text(cells)


def _folded(cells: tuple[Cell, ...]) -> Iterator[Cell]:
    for cell, check in _with_checks("A lesson", cells):
        if check is None:
            yield cell
        elif "solution" in cell.tags:
            yield replace(cell, kind="markdown", source=_FOLDED.format(cell.source))


def _with_checks(name: str, cells: tuple[Cell, ...]) -> Iterator[tuple[Cell, Cell | None]]:
    """Yield each cell, an attempt (a mutant or a solution) with the check that judges it."""
    check = None
    for cell in cells:
        if not _ATTEMPTS & set(cell.tags):
            check = cell if "check" in cell.tags else check
            yield cell, None
        elif check is None:
            raise MalformedLesson(
                "A solution or a mutant has to come after its exercise and the check.",
                f"{name} has {cell.id or cell.source[:40]!r} before any.",
                'Tag the cell that judges it with tags=["check"].',
            )
        else:
            yield cell, check


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
