"""A short form of the fault matrix; the nightly run plays every row many times."""

from __future__ import annotations

import pytest

from eventlab.matrix.play import play
from eventlab.matrix.rows import ROWS

RECORDS = 300


@pytest.mark.parametrize("name", ["F1", "F2", "F13", "F16b", "F19a"])
def test_safe_settings_lose_double_and_reorder_nothing(cluster, name):
    """acks=all, idempotence, two in sync: whatever breaks, the history is valid."""
    outcome = play(cluster, ROWS[name], seed=7, records=RECORDS)
    assert outcome.why == ""
    assert (outcome.lost, outcome.duplicated, outcome.reordered) == (0, 0, 0)
    assert outcome.verdict == "valid"


def test_the_demonstration_of_loss_loses_exactly_what_was_scripted(cluster):
    """acks=1: every record that only the dead leader had, and no other; found by the judge."""
    outcome = play(cluster, ROWS["F12"], seed=7, records=RECORDS)
    assert outcome.why == ""
    assert outcome.lost == outcome.records - 100
    assert outcome.lost >= 20
    assert outcome.verdict == "invalid"


def test_an_isolated_leader_loses_what_it_acknowledged_alone(cluster):
    """acks=1: clients go on with a leader that is none any more."""
    outcome = play(cluster, ROWS["F16a"], seed=7, records=RECORDS)
    assert outcome.why == ""
    assert 0 < outcome.lost < outcome.acknowledged


def test_a_row_that_fails_says_why_and_mends(cluster, monkeypatch):
    """A topic that cannot be made, for one: the run is told as one that does not hold."""
    from eventlab import faults
    from eventlab.matrix.rows import Row

    def script(scene):
        faults.broker_frozen(scene.cluster, 1)
        scene.create_topic(partitions=0)

    outcome = play(cluster, Row("F0", "nothing", "none", "nothing", script), seed=1, records=1)
    assert not outcome.holds
    assert "partitions cannot be this" in outcome.why
    assert {node["state"] for node in cluster.status()["nodes"]} == {"running"}
