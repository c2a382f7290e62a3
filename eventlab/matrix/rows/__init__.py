"""The rows, by what is broken: each module makes some, `ROWS` has all, in the order of names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from eventlab.errors import InvalidSetting
from eventlab.matrix.row import MADE, Row
from eventlab.matrix.rows import (
    brokers,
    consumers,
    disks,
    handlers,
    links,
    processes,
    replication,
    topics,
)

PARTS = (brokers, replication, links, consumers, handlers, disks, topics, processes)

__all__ = ["PARTS", "ROWS", "Row", "chosen"]


def _place(name: str) -> tuple[int, str]:
    """Return where a row is among the others: F2 is before F12."""
    number = re.sub(r"\D", "", name)
    return int(number), name


ROWS: dict[str, Row] = {name: MADE[name] for name in sorted(MADE, key=_place)}


def chosen(names: Iterable[str]) -> list[Row]:
    """Return these rows, all of them when none is named."""
    names = list(names)
    for name in names:
        if name not in ROWS:
            raise InvalidSetting(
                "The matrix has no such row.",
                f"You gave {name}.",
                f"It has {', '.join(ROWS)}.",
            )
    return [ROWS[name] for name in dict.fromkeys(names or ROWS)]
