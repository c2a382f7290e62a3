"""The live table and chart of a demo, on a terminal; in a file or a pipe, a line now and then."""

from __future__ import annotations

import time
from collections import deque
from typing import TextIO

import pandas as pd

from eventlab.orders import views
from eventlab.orders.store import Store

_BARS = "▁▂▃▄▅▆▇█"
_WIDE = 60
_NEWS = 5.0  # seconds between two lines where nothing can be redrawn


class Board:
    """Draws over itself; `draw` as often as there is something new."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._redraws = stream.isatty()
        self._lines = 0
        self._said = float("-inf")
        self._lags: deque[int] = deque(maxlen=_WIDE)

    def draw(
        self, published: int, total: int, store: Store, lag: pd.DataFrame | None, waiting: int
    ) -> None:
        """Draw how many events are published, the orders by status, and the lag over time."""
        behind = 0 if lag is None else int(lag["lag"].fillna(0).sum())
        self._lags.append(behind)
        if self._redraws:
            self._over(self._table(published, total, store, lag, waiting))
        elif time.monotonic() - self._said > _NEWS or (published == total and not behind):
            self._said = time.monotonic()
            self._stream.write(f"{published} of {total} events published, lag {behind}\n")
        self._stream.flush()

    def _table(
        self, published: int, total: int, store: Store, lag: pd.DataFrame | None, waiting: int
    ) -> list[str]:
        share = round(40 * published / total)
        lines = [
            f"published  [{'#' * share:.<40}] {published:,} of {total:,} events",
            f"outbox     {waiting} wait",
            f"lag        {sparkline(self._lags)} {self._lags[-1]:,} now, {max(self._lags):,} most",
        ]
        statuses = views.statuses(store)
        for status, count in zip(statuses["status"], statuses["orders"], strict=True):
            lines.append(f"{status:<15} {count:>8,} orders")
        return lines if lag is None else lines + _partitions(lag)

    def _over(self, lines: list[str]) -> None:
        up = f"\x1b[{self._lines}A\x1b[J" if self._lines else ""
        self._stream.write(up + "".join(f"{line}\n" for line in lines))
        self._lines = len(lines)


def _partitions(lag: pd.DataFrame) -> list[str]:
    found = lag.assign(client_id=lag["client_id"].fillna("nobody")).to_dict("records")
    return [
        f"  {row['topic']}-{row['partition']:<3} "
        f"{row['lag'] if row['committed'] else '-':>8}  {row['client_id']}"
        for row in found
    ]


def sparkline(values: deque[int]) -> str:
    """Return a bar for each value, the highest one full; nothing above zero looks like zero."""
    most = max(values, default=0)
    if not most:
        return _BARS[0] * len(values)
    last = len(_BARS) - 1
    return "".join(_BARS[max(min(1, value), round(value / most * last))] for value in values)
