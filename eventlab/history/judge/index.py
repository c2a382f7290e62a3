"""Where a record is in the log: rows of the log by partition and offset.

Offsets may have gaps (the control records of transactions, compaction), rows have none: what lies
between two rows of one partition is exactly what a reader that went from one to the other skipped.
"""

from __future__ import annotations

import numpy as np

from eventlab.history.tables import Column, Log

SPARSE = 8  # offsets for each record, above which rows are searched for instead of looked up


class Index:
    """The rows of a log, which is in the order of partition and offset."""

    def __init__(self, log: Log) -> None:
        self._log = log
        width = np.maximum(log.reached - log.start, 0)
        self._size = width.astype(np.uint64)
        self._shift = np.cumsum(width) - width - log.start
        self._all = int(width.sum())
        self._dense = width.sum(dtype=float) <= SPARSE * len(log.offset) + 1_000_000
        self._rows: Column | None = None  # needed only where there are gaps
        if self._dense and self._all > len(log.offset):
            count = np.bincount(log.part, minlength=len(width))
            self._rows = np.full(self._all + 1, -1, np.int32)
            self._rows[np.repeat(self._shift, count) + log.offset] = np.arange(len(log.offset))

    def rows(self, part: Column, offset: Column) -> Column:
        """Return the row of each record, -1 where the log has none."""
        if not self._dense:
            return self._search(part, offset)
        place: Column = self._shift.take(part) + offset
        outside = (offset - self._log.start.take(part)).view(np.uint64) >= self._size.take(part)
        if outside.any():
            place[outside] = -1  # the last of the rows, which is none
        return place if self._rows is None else self._rows.take(place, mode="wrap")

    def _search(self, part: Column, offset: Column) -> Column:
        found = np.full(len(part), -1, np.int64)
        for number in np.unique(part):
            wanted = part == number
            first, last = np.searchsorted(self._log.part, [number, number + 1])
            offsets = self._log.offset[first:last]
            row = np.searchsorted(offsets, offset[wanted])
            there = np.append(offsets, -1)[row] == offset[wanted]
            found[wanted] = np.where(there, first + row, -1)
        return found
