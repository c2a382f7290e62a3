"""What is committed is done: whatever was read, waits, comes back or goes away."""

from __future__ import annotations

import asyncio

from kafka import TopicPartition

from eventlab.orders.subscriber.progress import Progress
from tests.unit.orders.inbox.arrivals import created, delivered

ZERO, ONE = TopicPartition("orders", 0), TopicPartition("orders", 1)


class Assignment(set):
    """What a consumer says that it has, as far as `Progress` asks."""

    def assignment(self):
        return set(self)


def progress(*parts):
    made = Progress(Assignment(parts))
    asyncio.run(made.on_partitions_assigned(parts))
    return made


def records(*offsets, partition=0):
    return [delivered(created(), start=at, partition=partition)[0].record for at in offsets]


def test_the_offset_stays_before_what_waits():
    """And goes on when nothing does; records that came meanwhile wait too."""
    made = progress(ZERO, ONE)
    made.read(ZERO, 9)
    made.read(ONE, 4)
    made.note(records(7, 3) + records(0, partition=1))
    assert made.uncommitted() == {ZERO: 3, ONE: 0}
    made.note([])
    assert made.uncommitted() == {ZERO: 10, ONE: 5}


def test_nothing_of_a_partition_that_was_taken_away_is_handled_or_committed():
    """Until it comes back in the same rebalance; if it does not, it is forgotten."""
    [arrival] = delivered(created())
    made = progress(ZERO)
    made.read(ZERO, 9)
    asyncio.run(made.on_partitions_revoked({ZERO}))
    made.note([])
    assert (made.wants(arrival), made.keeps(arrival), made.uncommitted()) == (False, True, {})
    asyncio.run(made.on_partitions_assigned({ZERO}))
    assert (made.wants(arrival), made.uncommitted()) == (True, {ZERO: 10})
    asyncio.run(made.on_partitions_lost({ZERO}))
    made.note([])
    assert (made.wants(arrival), made.keeps(arrival), made.uncommitted()) == (False, False, {})


def test_a_partition_that_another_had_meanwhile_begins_anew():
    """An assignment without it came in between: what was known of it is not true any more."""
    [arrival] = delivered(created())
    made = progress(ZERO, ONE)
    made.read(ZERO, 9)
    asyncio.run(made.on_partitions_revoked({ZERO, ONE}))
    asyncio.run(made.on_partitions_assigned({ONE}))
    assert not made.keeps(arrival)
    asyncio.run(made.on_partitions_assigned({ZERO}))
    assert ZERO in made.new
    made.note([])
    assert made.uncommitted() == {}
