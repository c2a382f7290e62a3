"""A short form of the fault matrix; the nightly run plays every row many times."""

from __future__ import annotations

import pytest

from eventlab import faults, observe
from eventlab.matrix.group import Group
from eventlab.matrix.play import play
from eventlab.matrix.rows import ROWS, Row

RECORDS = 300


@pytest.mark.parametrize("name", ["F1", "F13", "F16b", "F19a"])
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


def test_a_subscriber_that_is_killed_has_each_effect_once(cluster):
    """A process that dies in a batch: what it did is evidence, what it left is done by another."""
    outcome = play(cluster, ROWS["F20"], seed=7, records=RECORDS)
    assert outcome.why == ""
    assert (outcome.lost, outcome.duplicated, outcome.verdict) == (0, 0, "valid")


def test_a_subscriber_that_commits_first_loses_exactly_the_rest_of_its_batch(cluster):
    """The log has every record; the database has not every effect."""
    outcome = play(cluster, ROWS["F21"], seed=7, records=RECORDS)
    assert outcome.why == ""
    assert 0 < outcome.lost < 50
    assert outcome.verdict == "invalid"


def test_a_damaged_disk_of_a_lone_leader_is_a_loss_that_is_told(cluster):
    """The broker starts as if nothing had been; the judge counts what it cut off."""
    outcome = play(cluster, ROWS["F30"], seed=7, records=RECORDS)
    assert outcome.why == ""
    assert 0 < outcome.lost <= outcome.acknowledged


def test_a_copy_in_transactions_that_is_killed_copies_everything_once(cluster):
    """Between produce and commit: the next one aborts what it left."""
    outcome = play(cluster, ROWS["F37"], seed=7, records=RECORDS)
    assert outcome.why == ""
    assert outcome.records > outcome.acknowledged  # those of the transaction that was aborted
    assert (outcome.lost, outcome.duplicated, outcome.verdict) == (0, 0, "valid")


def test_a_row_leaves_nothing(cluster):
    """No topic, no group, no process, no file."""
    found = []

    def script(scene):
        scene.create_topic(partitions=1)
        scene.publish(10)
        group = Group(scene)
        found.append((scene, group.start("member")))
        group.finish(10)

    row = Row("F0", "nothing", "none", "nothing", script)
    assert play(cluster, row, seed=1, records=1).why == ""
    ((scene, child),) = found
    assert child.state == "ended"
    assert not scene.folder.exists()
    assert not {scene.topic} & set(cluster.topics()["topic"])
    assert not {scene.topic} & set(observe.groups(cluster)["group_id"])


def test_a_cluster_that_cannot_play_a_row_says_so(cluster):
    """Never a pass: Kafka's default looks for old records every five minutes."""
    outcome = play(cluster, ROWS["F32a"], seed=1, records=1)
    assert not outcome.holds
    assert "removes old records too seldom" in outcome.why


def test_a_row_that_fails_says_why_and_mends(cluster, monkeypatch):
    """A topic that cannot be made, for one: the run is told as one that does not hold."""

    def script(scene):
        faults.broker_frozen(scene.cluster, 1)
        scene.create_topic(partitions=0)

    outcome = play(cluster, Row("F0", "nothing", "none", "nothing", script), seed=1, records=1)
    assert not outcome.holds
    assert "partitions cannot be this" in outcome.why
    assert {node["state"] for node in cluster.status()["nodes"]} == {"running"}
