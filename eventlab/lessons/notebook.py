"""Cells as the text of an `.ipynb`: the same cells give the same bytes, on any machine."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace

from eventlab.lessons.percent import Cell

METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}


def to_text(cells: Iterable[Cell]) -> str:
    """Return the notebook of these cells; a cell with `expected` gets it as its stored output."""
    numbered = _with_ids(tuple(cells))
    notebook = {
        "cells": [_as_json(cell) for cell in numbered],
        "metadata": METADATA,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _with_ids(cells: tuple[Cell, ...]) -> list[Cell]:
    """Fill in missing ids with a hash of the content, so that a new cell renames no other."""
    taken = {cell.id for cell in cells if cell.id}
    numbered = []
    for cell in cells:
        identifier = cell.id or _free(_hash(cell), taken)
        taken.add(identifier)
        numbered.append(replace(cell, id=identifier))
    return numbered


def _hash(cell: Cell) -> str:
    return hashlib.sha256(f"{cell.kind}\n{cell.source}".encode()).hexdigest()[:12]


def _free(identifier: str, taken: set[str]) -> str:
    number, name = 2, identifier
    while name in taken:
        name, number = f"{identifier}-{number}", number + 1
    return name


def _as_json(cell: Cell) -> dict[str, object]:
    tags = [*cell.tags, "nbval-check-output"] if cell.expected is not None else [*cell.tags]
    entry: dict[str, object] = {
        "cell_type": cell.kind,
        "id": cell.id,
        "metadata": {"tags": tags} if tags else {},
        "source": cell.source.splitlines(keepends=True),
    }
    if cell.kind == "code":
        # nbval compares a stored output only where the cell claims that it was run.
        entry["execution_count"] = None if cell.expected is None else 1
        entry["outputs"] = [] if cell.expected is None else [_output(cell.source, cell.expected)]
    return entry


def _output(source: str, expected: str) -> dict[str, object]:
    """Return what Jupyter would store: a value where the cell ends in one, else printed text."""
    if _ends_in_a_value(source):
        data = {"text/plain": expected.splitlines(keepends=True)}
        return {"output_type": "execute_result", "execution_count": 1, "data": data, "metadata": {}}
    text = f"{expected}\n".splitlines(keepends=True)
    return {"output_type": "stream", "name": "stdout", "text": text}


def _ends_in_a_value(source: str) -> bool:
    last = ast.parse(source).body[-1:]
    if not last or not isinstance(last[0], ast.Expr):
        return False
    call = last[0].value
    name = call.func if isinstance(call, ast.Call) else None
    return not (isinstance(name, ast.Name) and name.id == "print")
