"""Reading a lesson: a `.py` file in jupytext's percent format, as the cells of a notebook.

    # %% [markdown]                               a cell of prose; each line begins with `# `
    # %% id="first-send" tags=["exercise"]        a cell of code; `id` and `tags` are optional
    producer.flush()
    # > None                                      trailing lines that begin so: the output expected

A YAML header between two `# ---` lines is for JupyterLab and is passed over. `#>` means the same
as `# >`, which is what ruff makes of it.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path

from eventlab.errors import EventlabError

MARKER = re.compile(r"# %%(?P<markdown> \[markdown\])?(?P<options>( [a-z]+=.*)?)")
EXPECTED = re.compile(r"# ?>(?: (?P<text>.*))?")
IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DECODER = json.JSONDecoder()


class MalformedLesson(EventlabError):
    """A lesson's text cannot become a notebook."""


@dataclass(frozen=True)
class Cell:
    """One cell: `kind` is markdown or code, `expected` the output that a run has to show."""

    kind: str
    source: str
    id: str | None = None
    tags: tuple[str, ...] = ()
    expected: str | None = None


def read(lesson: Path) -> tuple[Cell, ...]:
    """Return the cells of a lesson, in order; MalformedLesson names the line that is wrong."""
    lines = lesson.read_text(encoding="utf-8").splitlines()
    start = _after_header(lines)
    markers = [n for n in range(start, len(lines)) if lines[n].startswith("# %%")]
    first = markers[0] if markers else len(lines)
    if not markers or any(line.strip() for line in lines[start:first]):
        raise MalformedLesson(
            "A lesson has to begin with a cell.",
            f"{lesson.name} begins with {next(iter(lines[start:]), '')!r}.",
            "Put '# %% [markdown]' before its first line.",
        )
    ends = [*markers[1:], len(lines)]
    cells = tuple(_cell(lesson.name, n, lines[n:m]) for n, m in zip(markers, ends, strict=True))
    _check_ids(lesson.name, cells)
    return cells


def _after_header(lines: list[str]) -> int:
    if lines[:1] != ["# ---"]:
        return 0
    return lines.index("# ---", 1) + 1 if "# ---" in lines[1:] else 0


def _cell(name: str, number: int, lines: list[str]) -> Cell:
    where = f"{name}, line {number + 1}"
    marker = MARKER.fullmatch(lines[0])
    if not marker:
        raise MalformedLesson(
            "A cell has to begin with '# %%' or '# %% [markdown]', then its options.",
            f"{where} is {lines[0]!r}.",
            'Write it such as: # %% id="first-send" tags=["exercise"]',
        )
    identifier, tags = _options(where, marker["options"])
    if marker["markdown"]:
        return Cell("markdown", _prose(where, lines[1:]), identifier, tags)
    source, expected = _code(where, lines[1:])
    return Cell("code", source, identifier, tags, expected)


def _options(where: str, text: str) -> tuple[str | None, tuple[str, ...]]:
    found: dict[str, object] = {}
    rest = text.strip()
    while rest:
        key, _, rest = rest.partition("=")
        try:
            found[key], end = _DECODER.raw_decode(rest)
        except ValueError:
            raise _wrong_option(where, f"{key}={rest}") from None
        rest = rest[end:].strip()
    identifier, tags = found.pop("id", None), found.pop("tags", [])
    known = identifier is None or (isinstance(identifier, str) and IDENTIFIER.fullmatch(identifier))
    if found or not known or not isinstance(tags, list):
        raise _wrong_option(where, text.strip())
    return identifier if isinstance(identifier, str) else None, tuple(str(tag) for tag in tags)


def _wrong_option(where: str, seen: str) -> MalformedLesson:
    return MalformedLesson(
        "A cell knows the options id and tags only.",
        f"{where} has {seen!r}.",
        'Write id="letters-digits-dashes" and tags=["one", "two"].',
    )


def _prose(where: str, lines: list[str]) -> str:
    for line in lines:
        if line and line != "#" and not line.startswith("# "):
            raise MalformedLesson(
                "Each line of a markdown cell begins with '# '.",
                f"The cell at {where} has {line!r}.",
                "Begin a code cell with '# %%', or the line with '# '.",
            )
    return "\n".join(line[2:] for line in lines).strip("\n")


def _code(where: str, lines: list[str]) -> tuple[str, str | None]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    end = len(lines)
    while end and EXPECTED.fullmatch(lines[end - 1]):
        end -= 1
    source = "\n".join(lines[:end]).strip("\n")
    if any(EXPECTED.fullmatch(line) for line in lines[:end]):
        raise MalformedLesson(
            "Expected output stands at the end of its cell.",
            f"The cell at {where} has code after it.",
            "Split the cell, or move the lines that begin with '# >' to its end.",
        )
    _check_syntax(where, source)
    outputs = [EXPECTED.fullmatch(line) for line in lines[end:]]
    expected = "\n".join((match and match["text"]) or "" for match in outputs)
    return source, expected if outputs else None


def _check_syntax(where: str, source: str) -> None:
    try:
        compile(source, where, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError as error:
        raise MalformedLesson(
            "A code cell is not Python.",
            f"In the cell at {where}, {error.msg} at {(error.text or '').strip()!r}.",
            "Mend it; magics such as %timeit are not for lessons.",
        ) from None


def _check_ids(name: str, cells: tuple[Cell, ...]) -> None:
    given = [cell.id for cell in cells if cell.id]
    for identifier in given:
        if given.count(identifier) > 1:
            raise MalformedLesson(
                "A cell's id has to be its own.",
                f"{name} gives {identifier!r} to {given.count(identifier)} cells.",
                "Rename all but one of them.",
            )
