"""The live table of the demo."""

from __future__ import annotations

import io
from collections import deque

import pandas as pd
import pytest

from eventlab.orders.processes.board import Board, sparkline
from eventlab.orders.store import Store


@pytest.mark.parametrize(
    ("values", "bars"),
    [([], ""), ([0, 0], "▁▁"), ([0, 7], "▁█"), ([1, 1000], "▂█"), ([1, 2, 4], "▃▅█")],
)
def test_a_bar_for_each_value(values, bars):
    """The highest is full, and what is above zero does not look like zero."""
    assert sparkline(deque(values)) == bars


class Terminal(io.StringIO):
    def isatty(self):
        return True


LAG = pd.DataFrame(
    {
        "topic": ["orders", "orders"],
        "partition": [0, 1],
        "committed": [True, False],
        "lag": pd.array([7, pd.NA], dtype="Int64"),
        "client_id": ["member-1", None],
    }
)


@pytest.mark.parametrize(("stream", "redraws"), [(Terminal(), True), (io.StringIO(), False)])
def test_it_draws_over_itself_on_a_terminal_and_says_lines_elsewhere(stream, redraws, tmp_path):
    """A pipe gets no escape sequences."""
    with Store(tmp_path / "shop.db") as store:
        board = Board(stream)
        board.draw(5, 10, store, LAG, 0)
        board.draw(10, 10, store, LAG, 0)
    text = stream.getvalue()
    assert ("\x1b[" in text) == redraws
    assert "10" in text
    if redraws:
        assert "orders-1" in text
        assert "nobody" in text
        assert text.count("\x1b[J") == 1  # the first has nothing above it
