"""Each table has the same columns and types, whatever is in it."""

from __future__ import annotations

import pandas as pd
import pytest

from eventlab.observe import frames


@pytest.mark.parametrize("kind", frames.COLUMNS)
def test_an_empty_table_has_its_columns_and_types(kind):
    """What one does with a table works when nothing is in it."""
    table = frames.table(kind)
    assert table.empty
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == frames.COLUMNS[kind]


def test_what_is_unknown_is_na_and_the_rest_stays_whole():
    """An offset that is not known makes no float of those that are."""
    row = ("orders", 0, -1, 3, (1, 2), (), None, None, 2**53 + 1, None)
    table = frames.table("partitions", [row, row])
    assert table["log_start_offset"].isna().all()
    assert table["log_end_offset"][0] == 2**53 + 1
    assert table["replicas"][0] == (1, 2)
    assert table["isr"][0] == ()
    assert table["elr"][0] is None


def test_a_time_without_a_zone_cannot_come_out():
    """All times are UTC."""
    now = pd.Timestamp.now("UTC")
    row = (1, "Leader", 1, 10, 0, now, None)
    table = frames.table("quorum", [row])
    assert table["last_fetch_time"][0] == now
    assert table["last_caught_up_time"].isna().all()
    assert str(table["last_caught_up_time"].dtype) == "datetime64[ns, UTC]"


def test_a_row_too_short_is_an_error_here_and_not_a_shifted_table():
    """Columns cannot move by one."""
    with pytest.raises(ValueError, match="shorter"):
        frames.table("offsets", [("billing", "orders", 0)])
