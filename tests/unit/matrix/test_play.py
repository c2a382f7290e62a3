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
            "acknowledged": 9, "lost": 0, "expired": 0, "duplicated": 0, "reordered": 0,
            "gap_seconds": 1.0, "verdict": "valid", "holds": True, "why": "",
            "source": ""}  # fmt: skip
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


def test_what_was_not_judged_counts_nothing():
    """A run that broke off has -1 in its columns, and must not make up for a loss in another."""
    runs = [run("F1", lost=2), run("F1", lost=-1, verdict="none", gap_seconds=float("nan"))]
    (told,) = summary(pd.DataFrame(runs)).to_dict("records")
    assert (told["lost"], told["verdict"]) == (2, "valid, none")
    assert told["gap_max_seconds"] == 1.0


def test_rows_are_chosen_by_name_once_each():
    """All of them when none is named; a name that is none is told with those there are."""
    assert [row.row for row in chosen(["F2", "F1", "F2"])] == ["F2", "F1"]
    assert [row.row for row in chosen([])] == list(ROWS)
    with refused(InvalidSetting, "F99", "F12"):
        chosen(["F1", "F99"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["F99"],
        ["F1", "--runs", "0"],
        ["F1", "--records", "-5"],
        ["F1", "--save", "no-such-folder/runs.csv"],
    ],
)
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


class Held:
    """A cluster that is none: what is played on it is played here."""

    def __init__(self, name: str, **settings: object) -> None:
        self.name = name

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None


def played(monkeypatch, *outcomes: Outcome | type[BaseException]) -> None:
    """Let rows come out like this, one run after the other."""
    left = iter(outcomes)

    def play(*given: object) -> Outcome:
        outcome = next(left)
        if isinstance(outcome, Outcome):
            return outcome
        raise outcome

    monkeypatch.setattr("eventlab.cli.matrix.Cluster", Held)
    monkeypatch.setattr("eventlab.matrix.play.play", play)


def test_an_interrupt_tells_what_was_played_until_then(monkeypatch, capsys, tmp_path):
    """The table, the file, and the exit code of an interrupt."""
    played(monkeypatch, Outcome(**run("F1")), KeyboardInterrupt)
    path = tmp_path / "runs.csv"
    assert main(["matrix", "F1", "--runs", "3", "--save", str(path)]) == 130
    told = capsys.readouterr()
    assert "1 of 1" in told.out
    assert "2 of 3: F1" in told.err
    assert len(pd.read_csv(path)) == 1


def test_a_promise_that_is_not_kept_is_the_exit_code(monkeypatch, capsys):
    """And its row says why, and with which seed to see it again."""
    broken = Outcome(**run("F20", seed=8, holds=False, why="3 redelivered, not 2"))
    played(monkeypatch, Outcome(**run("F20", seed=7)), broken)
    assert main(["matrix", "F20", "--runs", "2", "--seed", "7"]) == 1
    told = capsys.readouterr()
    assert "2 of 2: F20, seed 8" in told.err
    assert "NOT as promised: 3 redelivered, not 2" in told.err


def test_the_help_has_examples(capsys):
    """What to type comes after what there is."""
    with pytest.raises(SystemExit):
        main(["matrix", "--help"])
    assert "eventlab matrix F20 --runs 5" in capsys.readouterr().out
