"""The page of the fault matrix says what the rows are."""

from __future__ import annotations

from pathlib import Path

import eventlab
from eventlab.matrix import page
from eventlab.matrix.rows import ROWS

DOCS = Path(eventlab.__file__).parent.parent / "docs"


def test_the_page_is_made_from_the_rows():
    """Otherwise: python -m eventlab.matrix.page > docs/fault-matrix.md."""
    assert (DOCS / "fault-matrix.md").read_text("utf-8").rstrip() == page.text().rstrip()


def test_every_row_is_on_the_page_once():
    """Whichever module it is in."""
    told = page.text().splitlines()
    assert {name: sum(line.startswith(f"| {name} |") for line in told) for name in ROWS} == (
        dict.fromkeys(ROWS, 1)
    )
