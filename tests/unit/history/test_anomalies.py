"""One history by hand for each anomaly: it is found, named rightly, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eventlab.history.judge import judge
from eventlab.history.tables import Disks
from tests.unit.history.story import P0, P1, SAFE, Story, allowed, anomalies


@pytest.fixture
def story():
    return Story()


def test_a_history_without_fault_is_valid(story):
    """Sent, acknowledged, in the log, read once, committed."""
    producer, consumer = story.producer(), story.consumer()
    story.own(consumer)
    story.sends(producer, 10)
    story.poll(consumer, range(10))
    consumer.committed({P0: 10}, at=story.tick())
    verdict = story.judge()
    assert (verdict.outcome, len(verdict.table)) == ("valid", 0)
    assert verdict.counts["acknowledged"] == verdict.counts["in_log"] == 10


def test_lost(story):
    """I1: acknowledged, and not in the log, in the middle."""
    story.sends(story.producer(), 10)
    del story.logs[P0][4]
    verdict = story.judge()
    assert anomalies(verdict) == {"lost": 1}
    (case,) = verdict.witnesses("lost").query("place == 0").to_dict("records")
    assert (case["offset"], case["event_id"]) == (4, 4)
    assert case["note"].startswith("nothing is at its offset")


def test_lost_at_the_end(story):
    """I2: the log is shorter than it was, as after a leader that was alone."""
    story.sends(story.producer(), 10)
    del story.logs[P0][7:]
    story.ends[P0] = 7
    verdict = story.judge()
    assert anomalies(verdict) == {"lost": 3}
    assert "the log ends at 7" in verdict.witnesses("lost").query("place == 0")["note"].iloc[0]


def test_lost_and_another_is_at_its_offset(story):
    """A new leader gives offsets of what it never had to others; equal values do not hide it."""
    producer = story.producer()
    story.sends(producer, 5)
    story.logs[P0] = story.logs[P0][:3]
    story.ends[P0] = 3
    for value in (b"3", b"4", b"new"):  # two of them are what was lost
        story.send(producer, value)
    verdict = story.judge()
    assert anomalies(verdict) == {"lost": 2}
    assert "another record is at" in verdict.witnesses("lost").query("place == 0")["note"].iloc[0]
    records = verdict.records().query("anomaly == 'lost'")
    assert (records["in_log"].any(), list(records["event_id"])) == (False, [3, 4])


def test_what_retention_removed_is_not_lost(story):
    """Below the start of the log nothing is missing."""
    story.sends(story.producer(), 10)
    del story.logs[P0][:4]
    story.starts[P0] = 4
    assert story.judge().outcome == "valid"


def test_what_compaction_removed_is_allowed(story):
    """A compacted topic keeps the last record of a key; the verdict says so."""
    story.sends(story.producer(), 10)
    del story.logs[P0][4]
    story.compacted = True
    verdict = story.judge()
    assert (verdict.outcome, allowed(verdict)) == ("valid", {"lost": 1})
    assert "compacted" in verdict.text


def test_phantom_that_was_refused(story):
    """I3: its send failed, and it is in the log."""
    producer = story.producer()
    producer.failed(producer.sent(*P0[:1], b"k", b"refused", at=story.tick()), "RecordTooLarge")
    story.write(P0, b"refused")
    assert anomalies(story.judge()) == {"phantom": 1}


def test_phantom_that_nobody_sent(story):
    """I3: in the log, and no client of the run sent it; who else writes there may be allowed."""
    story.sends(story.producer(), 3)
    story.write(P0, b"stranger")
    assert anomalies(story.judge()) == {"phantom": 1}
    assert story.judge(allow=["phantom"]).valid


def test_what_is_older_than_the_run_is_nobodys_fault(story):
    """A topic may hold equal records of an earlier run."""
    for number in range(5):
        story.write(P0, b"%d" % number)
        story.logs[P0][-1].time = story.run._begun // 1_000_000 - 1
    story.sends(story.producer(), 5)
    assert story.judge().outcome == "valid"
    assert story.judge().counts["others"] == 5


def test_duplicate_in_spite_of_idempotence(story):
    """I5: an event twice in the log of an idempotent producer."""
    story.sends(story.producer(), 3)
    story.write(P0, b"1", None)
    verdict = story.judge()
    assert anomalies(verdict) == {"duplicate": 1}
    case = verdict.witnesses("duplicate").query("place == 0").iloc[0]
    assert (case["offset"], case["event_id"], case["note"]) == (3, 1, "also at offset 1")


def test_duplicate_without_idempotence_is_counted_and_allowed(story):
    """A retry after an acknowledgement that got lost writes again; who asked for it knows."""
    story.sends(story.producer(enable_idempotence=False), 3)
    story.write(P0, b"1", None)
    verdict = story.judge()
    assert (verdict.outcome, allowed(verdict)) == ("valid", {"duplicate": 1})
    assert anomalies(story.judge(forbid="duplicate")) == {"duplicate": 1}


def test_moved(story):
    """I4: at another offset than the one acknowledged."""
    story.sends(story.producer(), 3)
    story.logs[P0][1].offset = 5
    story.ends[P0] = 6
    verdict = story.judge()
    assert anomalies(verdict)["moved"] == 1
    assert "acknowledged as orders-0 offset 1" in verdict.text


def test_reordered(story):
    """I6: one thread of one producer sent A before B, and B is in front."""
    producer = story.producer()
    first = producer.sent("orders", b"k", b"A", partition=0, at=story.tick())
    story.send(producer, b"B", key=b"k")
    producer.acked(first, 0, story.write(P0, b"A"), at=story.tick())
    verdict = story.judge()
    assert anomalies(verdict) == {"reordered": 1}
    assert verdict.witnesses("reordered").query("place == 0")["event_id"].tolist() == [0]


def test_reordered_by_retries_in_flight_is_allowed(story):
    """Not idempotent and several requests in flight: a retry may be overtaken."""
    producer = story.producer(enable_idempotence=False)
    first = producer.sent("orders", b"k", b"A", partition=0, at=story.tick())
    story.send(producer, b"B", key=b"k")
    producer.acked(first, 0, story.write(P0, b"A"), at=story.tick())
    assert allowed(story.judge()) == {"reordered": 1}


def test_what_two_producers_do_at_once_has_no_order(story):
    """The log may have it either way."""
    one, two = story.producer("one"), story.producer("two")
    first = one.sent("orders", b"k", b"A", partition=0, at=story.tick())
    story.send(two, b"B", key=b"k")
    one.acked(first, 0, story.write(P0, b"A"), at=story.tick())
    assert story.judge().outcome == "valid"


def test_reordered_of_unknown_outcome(story):
    """A send that timed out, landed late and behind a later one, is out of order all the same."""
    producer = story.producer()
    late = producer.sent("orders", b"k", b"A", partition=0, at=story.tick())
    producer.unknown(late, "KafkaTimeoutError", at=story.tick())
    story.send(producer, b"B", key=b"k")
    story.write(P0, b"A")
    assert anomalies(story.judge()) == {"reordered": 1}


def test_key_split(story):
    """I7: one key in two partitions, and nobody chose them."""
    producer = story.producer()
    for part in (P0, P0, P1):
        story.send(producer, b"v%d" % story.steps, part, key=b"c1")
    verdict = story.judge()
    assert anomalies(verdict) == {"key split": 1}
    assert "its key was in partition 0 before" in verdict.text


def test_partitions_that_were_chosen_split_no_key(story):
    """Who passes partition= has decided; a partitioner of one's own is allowed."""
    producer = story.producer()
    for part in (P0, P1):
        story.send(producer, b"v%d" % story.steps, part, key=b"c1", partition=part[1])
    assert story.judge().outcome == "valid"
    other = story.producer(default_partitioner=False)
    for part in (P0, P1):
        story.send(other, b"v%d" % story.steps, part, key=b"c2")
    assert allowed(story.judge()) == {"key split": 1}


def test_non_monotonic(story):
    """I8: a consumer went back, and nobody told it to."""
    story.sends(story.producer(), 5)
    story.poll(story.consumer(), [0, 1, 2, 1, 2, 3, 4])
    assert anomalies(story.judge()) == {"non-monotonic": 1}


def test_skipped_by_a_consumer(story):
    """I8: it went on past records that are in the log."""
    story.sends(story.producer(), 6)
    story.poll(story.consumer(), [0, 1, 4, 5])
    verdict = story.judge()
    assert anomalies(verdict) == {"skipped": 2}
    assert verdict.witnesses("skipped").query("place == 0")["offset"].tolist() == [2, 3]


def test_gaps_between_offsets_are_not_skipped(story):
    """Control records of transactions take offsets that nobody can read."""
    producer = story.producer()
    for number in range(6):
        send = producer.sent("orders", None, b"%d" % number, at=story.tick())
        offset = story.write(P0, b"%d" % number, None, gap=number % 3)
        producer.acked(send, 0, offset, at=story.tick())
    story.poll(story.consumer(), [record.offset for record in story.logs[P0]])
    assert story.judge().outcome == "valid"


def test_skipped_by_a_group(story):
    """A member died after others' commit: nobody ever got what is between."""
    one, two = story.consumer(), story.consumer()
    story.sends(story.producer(), 8)
    story.own(one)
    story.poll(one, [0, 1, 2])
    one.revoked([P0], at=story.tick())
    story.own(two, 2)
    story.poll(two, [5, 6, 7])
    verdict = story.judge()
    assert anomalies(verdict) == {"skipped": 2}
    assert "by group billing" in verdict.witnesses("skipped")["note"].tolist()


def test_what_a_seek_skips_is_allowed(story):
    """A consumer that is told to go on elsewhere leaves out what is between."""
    consumer = story.consumer()
    story.sends(story.producer(), 8)
    story.poll(consumer, [0, 1])
    consumer.sought(*P0, 5, at=story.tick())
    story.poll(consumer, [5, 6, 7])
    assert allowed(story.judge()) == {"skipped": 3}


def test_redelivered_after_a_rebalance_is_allowed(story):
    """At least once: the next owner begins at the last commit."""
    one, two = story.consumer(), story.consumer()
    story.sends(story.producer(), 6)
    story.own(one)
    story.poll(one, range(4))
    one.committed({P0: 2}, at=story.tick())
    one.revoked([P0], at=story.tick())
    story.own(two, 2)
    story.poll(two, range(2, 6))
    verdict = story.judge()
    assert allowed(verdict) == {"redelivered": 2}
    assert anomalies(story.judge(forbid=["redelivered"])) == {"redelivered": 2}


def test_unseen_is_lag_unless_it_is_forbidden(story):
    """A group that began late, or stopped early, has lost nothing; an exercise may ask for all."""
    story.sends(story.producer(), 6)
    story.poll(story.consumer(), [2, 3])
    assert allowed(story.judge()) == {"unseen": 4}
    assert anomalies(story.judge(forbid=["unseen"])) == {"unseen": 4}


def test_dirty_read(story):
    """I12: it was read, and a later leader never had it."""
    producer, consumer = story.producer(), story.consumer()
    story.sends(producer, 4)
    story.poll(consumer, range(4))
    del story.logs[P0][3]
    story.ends[P0] = 3
    assert anomalies(story.judge()) == {"lost": 1, "dirty read": 1}


def test_dirty_read_of_what_became_another_record(story):
    """The offset is there, with another content."""
    producer, consumer = story.producer(), story.consumer()
    story.sends(producer, 4)
    story.poll(consumer, range(4))
    del story.logs[P0][3]
    story.ends[P0] = 3
    story.send(producer, b"another")
    assert anomalies(story.judge()) == {"lost": 1, "dirty read": 1}


@pytest.mark.parametrize("level", ["read_committed", "read_uncommitted"])
def test_dirty_read_of_an_aborted_transaction(story, level):
    """I11: read_committed must not see it, read_uncommitted may."""
    producer, consumer = story.producer(), story.consumer(isolation_level=level)
    producer._transaction(0, 0)
    story.send(producer, b"aborted")
    story.poll(consumer, [0])
    story.logs[P0].clear()
    producer._transaction(0, 2)
    producer._events[-7], producer._events[0] = story.tick(), story.run._begun
    found = anomalies if level == "read_committed" else allowed
    assert found(story.judge()) == {"dirty read": 1}


def test_torn(story):
    """I11: nobody knows how the transaction ended, and half of it is in the log."""
    producer = story.producer()
    producer._transaction(0, 0)
    producer._events[0] = story.run._begun
    story.sends(producer, 2)
    del story.logs[P0][1]
    producer._transaction(0, 3, "KafkaTimeoutError")
    producer._events[-7] = story.tick()
    assert anomalies(story.judge()) == {"torn": 1}


def test_two_owners(story):
    """I9: two members of one generation own a partition."""
    one, two = story.consumer(), story.consumer()
    story.own(one, 1)
    story.own(two, 1)
    story.sends(story.producer(), 1)
    verdict = story.judge()
    assert anomalies(verdict) == {"two owners": 1}
    assert "still owned by consumer" in verdict.text


def test_an_owner_that_does_not_know_it_was_replaced_is_allowed(story):
    """A frozen member learns late that the group went on to another generation."""
    one, two = story.consumer(), story.consumer()
    story.own(one, 1)
    story.own(two, 2)
    story.sends(story.producer(), 1)
    assert allowed(story.judge())["two owners"] == 1


def test_consumers_that_assign_themselves_share_nothing(story):
    """Without a group each reads for itself."""
    for consumer in (story.consumer(None), story.consumer(None)):
        story.own(consumer, -1)
    story.sends(story.producer(), 1)
    assert "two owners" not in {*anomalies(story.judge()), *allowed(story.judge())}


def test_commit_moved_back(story):
    """I9: a group commits less than before."""
    consumer = story.consumer()
    story.sends(story.producer(), 6)
    story.poll(consumer, range(6))
    consumer.committed({P0: 6}, at=story.tick())
    consumer.committed({P0: 4}, at=story.tick())
    verdict = story.judge()
    assert anomalies(verdict) == {"commit moved back": 1}
    assert "4 after 6" in verdict.text


def test_a_commit_that_was_refused_moved_nothing(story):
    """What a broker did not take is not there."""
    consumer = story.consumer()
    story.sends(story.producer(), 6)
    story.poll(consumer, range(6))
    consumer.committed({P0: 6}, at=story.tick())
    consumer.committed({P0: 4}, "IllegalGenerationError", at=story.tick())
    assert story.judge().outcome == "valid"


def test_a_commit_after_a_seek_back_is_allowed(story):
    """Who replays on purpose commits less."""
    consumer = story.consumer()
    story.sends(story.producer(), 6)
    story.poll(consumer, range(6))
    consumer.committed({P0: 6}, at=story.tick())
    consumer.sought(*P0, 2, at=story.tick())
    story.poll(consumer, [2, 3])
    consumer.committed({P0: 4}, at=story.tick())
    assert allowed(story.judge()) == {"commit moved back": 1, "redelivered": 2}


def test_commits_of_two_consumers_at_once_have_no_order(story):
    """Only a commit that began when another had ended comes after it."""
    one, two = story.consumer(), story.consumer()
    story.sends(story.producer(), 6)
    story.poll(one, range(6))
    begun = story.tick()
    two.committed({P0: 4}, begun=story.tick(), at=story.tick())
    one.committed({P0: 6}, begun=begun, at=story.tick())
    assert story.judge().outcome == "valid"


def test_commit_ahead(story):
    """I9: committed beyond what the group was given."""
    consumer = story.consumer()
    story.sends(story.producer(), 6)
    story.poll(consumer, [0, 1])
    consumer.committed({P0: 5}, at=story.tick())
    story.poll(consumer, range(2, 6))
    assert anomalies(story.judge()) == {"commit ahead": 1}


def test_committed_early_and_effect_missing(story):
    """I10: committed before it was handled, and then never handled."""
    consumer = story.consumer()
    story.sends(story.producer(), 3)
    story.poll(consumer, range(3))
    consumer.handled(*P0, 0, at=story.tick())
    consumer.committed({P0: 3}, at=story.tick())
    consumer.handled(*P0, 1, at=story.tick())
    verdict = story.judge()
    assert anomalies(verdict) == {"committed early": 2, "effect missing": 1}


def test_effect_doubled(story):
    """I10: handled twice."""
    consumer = story.consumer()
    story.sends(story.producer(), 2)
    story.poll(consumer, range(2))
    for offset in (0, 1, 1):
        consumer.handled(*P0, offset, at=story.tick())
    verdict = story.judge()
    assert anomalies(verdict) == {"effect doubled": 1}
    assert "2 effects by group billing" in verdict.text


def test_two_groups_have_an_effect_each(story):
    """Billing and shipping both handle an order, once each."""
    story.sends(story.producer(), 2)
    for group in ("billing", "shipping"):
        consumer = story.consumer(group)
        story.poll(consumer, range(2))
        for offset in range(2):
            consumer.handled(*P0, offset, at=story.tick())
    assert story.judge().outcome == "valid"


def test_effects_of_a_table(story):
    """I10: the rows of a database, by the records they are of."""
    story.sends(story.producer(), 4)
    part = story.run._names.part(*P0)
    effects = np.array([part] * 5), np.array([0, 1, 1, 3, 9])
    verdict = story.judge(effects_of=effects)
    assert anomalies(verdict) == {"effect missing": 1, "effect doubled": 1, "phantom": 1}


def test_stalled(story):
    """I13: mended, and nothing was acknowledged for too long."""
    producer, faults = story.producer(), story.run.recorder("faults")
    story.sends(producer, 2)
    waiting = producer.sent("orders", None, b"late", at=story.tick())
    faults._event(8, 1, -1, -1, "leader killed: broker 2", story.tick(), None)
    producer.acked(waiting, 0, story.write(P0, b"late", None), at=story.tick() + 60 * 10**9)
    story.steps += 70_000
    assert anomalies(story.judge()) == {"stalled": 1}
    assert story.judge(progress=100).outcome == "valid"


def test_a_final_read_that_did_not_come_to_the_end_leaves_it_unknown(story):
    """What nobody looked at is neither there nor lost."""
    story.sends(story.producer(), 10)
    story.reached[P0] = 6
    verdict = story.judge()
    assert (verdict.outcome, anomalies(verdict)) == ("unknown", {})
    assert "4 acknowledged records are where the final read did not come" in verdict.text
    del story.logs[P0][2]
    assert story.judge().outcome == "invalid"


def test_without_a_final_read_it_is_unknown(story):
    """Clients alone can only show that something is wrong, not that nothing is."""
    story.sends(story.producer(), 3)
    verdict = judge(story.run._evidence())
    assert (verdict.outcome, verdict.doubts) == ("unknown", ["There was no final read."])


def test_what_was_acknowledged_during_the_final_read_is_not_missed(story):
    """The edges of the log were asked for before it was there."""
    producer = story.producer()
    story.sends(producer, 3)
    log = story.log()
    story.send(producer, b"late")
    assert judge(replace(story.run._evidence(), log=log)).outcome == "valid"


def test_a_witness_has_three_neighbours_on_either_side(story):
    """What was before and after, to see what it was between."""
    story.sends(story.producer(), 20)
    del story.logs[P0][10]
    case = story.judge().witnesses("lost")
    assert case["place"].tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert case["offset"].tolist() == [7, 8, 9, 10, 11, 12, 13]
    assert case["event_id"].tolist() == [7, 8, 9, 10, 11, 12, 13]


def test_an_empty_history_is_unknown(story):
    """Nothing proves nothing."""
    assert story.judge().outcome == "unknown"


def test_what_is_above_the_high_watermark_is_not_lost(story):
    """Acknowledged with acks=1, too few replicas in sync: it is there, and nobody can read it."""
    story.sends(story.producer(), 5)
    evidence = story.evidence()
    sends = evidence.sends
    story.logs[P0] = story.logs[P0][:3]
    story.ends[P0] = 3
    disks = Disks(
        node=np.array([1, 1, 2]),
        part=np.full(3, story.run._names.part(*P0)),
        offset=np.array([3, 4, 4]),
        check=sends.check[[3, 4, 4]].astype(np.int64),
        leader=np.array([1, 1]),
        looked=(1, 2, 3),
    )
    cut = replace(evidence, log=story.log(), disks=disks)
    verdict = judge(cut)
    assert (verdict.outcome, anomalies(verdict)) == ("unknown", {})
    assert "2 acknowledged records are in their leader's file" in verdict.text
    other = judge(replace(cut, disks=replace(disks, leader=np.array([3, 3]))))
    assert anomalies(other) == {"lost": 2}
    assert "it is in the files of broker 1 alone" in other.text


def test_sends_that_nobody_answered_may_be_there_or_not(story):
    """acks=0, timeouts, a kernel that ended: info is neither lost nor a phantom."""
    producer = story.producer(**{**SAFE, "acks": 0})
    for number in range(6):
        send = producer.sent("orders", None, b"same", at=story.tick())
        if number % 2:
            producer.acked(send, 0, -1, at=story.tick())
        if number % 3:
            story.write(P0, b"same", None)
    verdict = story.judge()
    assert verdict.outcome == "valid"
    assert (verdict.counts["unknown"], verdict.counts["landed"]) == (6, 4)
