"""What a process did is known when it was killed."""

from __future__ import annotations

from eventlab import history
from eventlab.history.tables import OK
from eventlab.matrix.journal import Journal, entries, replay


def test_a_run_learns_all_that_a_journal_says(tmp_path):
    """Sends, answers, reads, assignments and commits, at the time at which they were."""
    path = tmp_path / "first.jsonl"
    journal = Journal(path, "first", "billing", enable_auto_commit=False)
    first, second = (journal.sent("orders", b"k1", value, at=10) for value in (b"a", b"b"))
    journal.acked(first, 0, 7, at=20)
    journal.assigned([("orders", 0)], 3, at=30)
    journal.read("orders", 0, 7, b"k1", b"a", at=40)
    journal.committed({("orders", 0): 8}, outcome=OK, at=50)
    run = history.record("told")
    replay(path, run)
    sends = run.sends()
    assert second == 1
    assert list(sends["type"]) == ["ok", "invoke"]
    assert list(sends["offset"]) == [7, -1]
    assert list(run.reads()["event_id"]) == [0]
    told = run.operations()
    assert list(told["f"]) == ["send", "send", "send", "assign", "poll", "commit"]
    assert told["time"].map(lambda at: at.value).tolist() == [10, 10, 20, 30, 40, 50]
    assert run.assignments()["generation"].tolist() == [3]


def test_a_line_that_was_cut_off_is_none(tmp_path):
    """A process may be killed while it writes."""
    path = tmp_path / "first.jsonl"
    Journal(path, "first").sent("orders", b"k1", b"a")
    whole = entries(path)
    with path.open("a") as file:
        file.write('["acked", 0, 0')
    assert entries(path) == whole
    assert len(whole) == 2


def test_a_journal_that_was_never_begun_tells_nothing(tmp_path):
    """The process was killed before its client was made."""
    run = history.record("told")
    replay(tmp_path / "none.jsonl", run)
    assert run.operations().empty
