"""What is told of many runs is what happened in each."""

from __future__ import annotations

import pandas as pd
import pytest

from eventlab.cli import main
from eventlab.errors import InvalidSetting
from eventlab.matrix.play import COLUMNS, Outcome, summary
from eventlab.matrix.rows import ROWS, chosen
from tests.unit.refusals import refused


def run(row: str, **more: object) -> dict[str, object]:
    """Return one run."""
    told = {"row": row, "fault": "leader killed", "settings": "safe", "seed": 1, "records": 10,
            "acknowledged": 9, "lost": 0, "duplicated": 0, "reordered": 0, "gap_seconds": 1.0,
            "verdict": "valid", "holds": True, "why": ""}  # fmt: skip
    assert set(told) == set(Outcome.__dataclass_fields__)
    return told | more


def test_runs_of_a_row_are_summed():
    """Counts are summed, gaps have a median and a maximum, promises are counted."""
    runs = [
        run("F1", gap_seconds=1.0),
        run("F1", gap_seconds=2.0, lost=3, verdict="invalid", holds=False),
        run("F1", gap_seconds=9.0),
        run("F2"),
    ]
    table = summary(pd.DataFrame(runs))
    assert list(table.columns) == COLUMNS
    first, second = table.to_dict("records")
    assert (first["row"], first["runs"], first["records"], first["lost"]) == ("F1", 3, 30, 3)
    assert (first["gap_median_seconds"], first["gap_max_seconds"]) == (2.0, 9.0)
    assert (first["verdict"], first["holds"]) == ("valid, invalid", "2 of 3")
    assert (second["row"], second["holds"]) == ("F2", "1 of 1")


def test_rows_are_chosen_by_name_once_each():
    """All of them when none is named; a name that is none is told with those there are."""
    assert [row.row for row in chosen(["F2", "F1", "F2"])] == ["F2", "F1"]
    assert [row.row for row in chosen([])] == list(ROWS)
    with refused(InvalidSetting, "F99", "F12"):
        chosen(["F1", "F99"])


@pytest.mark.parametrize("arguments", [["F99"], ["F1", "--runs", "0"], ["F1", "--records", "-5"]])
def test_a_bad_command_starts_nothing(arguments, capsys):
    """Told in three sentences, before any cluster is started."""
    assert main(["matrix", *arguments]) != 0
    assert "Starting" not in capsys.readouterr().err


def test_the_rows_are_listed_with_what_they_promise(capsys):
    """What is broken, how, and what has to come of it."""
    assert main(["matrix", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(ROWS)
    assert lines[0].startswith("F1    leader killed, restarted (safe): nothing lost")
