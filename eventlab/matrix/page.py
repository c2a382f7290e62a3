"""The page of the matrix: `python -m eventlab.matrix.page > docs/fault-matrix.md`."""

from __future__ import annotations

from collections.abc import Iterator

from eventlab.matrix.row import Row
from eventlab.matrix.rows import PARTS, ROWS

_HEAD = """\
# The fault matrix

`eventlab matrix` plays these rows on a real cluster, and a judge compares what clients did with
what the log holds. *Safe* is acks=all, an idempotent producer and min.insync.replicas=2.
A row that shows an anomaly must find as many cases as its script makes; a row that shows none must
be valid. Otherwise the command fails.

```console
$ eventlab matrix                                # every row once, some minutes
$ eventlab matrix F20 --runs 5 --save runs.csv   # one row, five seeds, every run in a file
$ eventlab matrix F20 --seed 123                 # a run again, by the seed that was printed
```

Of the table that it prints:

- *lost* are acknowledged records that the log does not have, and records without their effect in
  SQL; with acks=0, where nothing is acknowledged, what was sent and is not there;
- *expired* is what retention or compaction removed;
- *duplicated* are records that are in the log twice, and effects that happened twice;
- *reordered* are records out of the order of their key;
- the *gap* is the longest time without an acknowledgement under steady traffic.

This page is made from the rows: `python -m eventlab.matrix.page > docs/fault-matrix.md`.
"""


def text() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(line for part in PARTS for line in _section(part))])


def _section(part: object) -> Iterator[str]:
    """Give the lines of the table of one module of rows, under its docstring."""
    yield f"## {str(part.__doc__).splitlines()[0].rstrip('.')}\n"
    yield "| row | fault | settings | what has to come of it | shows |"
    yield "|---|---|---|---|---|"
    rows = [row for row in ROWS.values() if row.script.__module__ == getattr(part, "__name__", "")]
    for row in rows:
        shown = ", ".join(row.shows) or "-"
        yield f"| {row.row} | {row.fault} | {row.settings} | {row.expected} | {shown} |"
    yield ""
    yield from _notes(rows)


def _notes(rows: list[Row]) -> Iterator[str]:
    """Give where Kafka or kafka-python does otherwise than one may expect."""
    told = [f"- {row.row}: {row.source}." for row in rows if row.source]
    yield from [*told, ""] if told else []


if __name__ == "__main__":
    print(text().rstrip())  # noqa: T201
