"""How far a subscriber has come in each partition that is its own, and what of it is committed.

An eager rebalance takes all partitions and gives back some; kafka-python keeps the position of
those that come back. So what waits is kept too until the new assignment is known, and nothing of
it is handled or committed in between.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from kafka import AsyncConsumerRebalanceListener, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from eventlab.orders.inbox import Arrival


class Progress(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """The partitions of one consumer, kept up to date by its group.

    Its methods run on the client's network thread while `poll` or `close` waits for them. They
    must not block there: hence a commit that is awaited (kafka-python refuses any other).
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self.owned: set[TopicPartition] = set()
        self.new: set[TopicPartition] = set()  # nobody has looked at them yet
        self._read: dict[TopicPartition, int] = {}  # the offset behind the last one that was read
        self._done: dict[TopicPartition, int] = {}  # the offset to go on at
        self._committed: dict[TopicPartition, int] = {}

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin with partitions, or go on with them."""
        self.owned |= set(assigned)
        self.new |= set(assigned) - self._read.keys()
        for part in self._read.keys() - self.owned:
            self._forget(part)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Commit what is done of partitions, while the group still takes it; then leave them."""
        undone = {part: at for part, at in self.uncommitted().items() if part in revoked}
        self.owned -= set(revoked)
        if undone:
            with contextlib.suppress(KafkaError):  # refused: they come again, and are known
                await self._consumer.commit_async(_offsets(undone))
                self._committed.update(undone)
        for part in set(revoked) - self._consumer.assignment():  # a cooperative group's are gone
            self._forget(part)

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Leave partitions that others have already."""
        for part in lost:
            self._forget(part)

    def _forget(self, part: TopicPartition) -> None:
        self.owned.discard(part)
        self.new.discard(part)
        for offsets in (self._read, self._done, self._committed):
            offsets.pop(part, None)

    def wants(self, arrival: Arrival) -> bool:
        """Say whether the partition of a record is ours."""
        return part_of(arrival) in self.owned

    def keeps(self, arrival: Arrival) -> bool:
        """Say whether the partition of a record is ours, or may be given back in this rebalance."""
        return part_of(arrival) in self._read

    def read(self, part: TopicPartition, last: int) -> None:
        """Note that the records of a partition were read up to this one."""
        self._read[part] = last + 1

    def idle(self) -> None:
        """Note that nothing is left to read, so what ends a transaction is behind us as well.

        It has an offset and is no record: without this a group would lag by one for ever.
        """
        for part in self.owned & self._read.keys() & self._consumer.assignment():
            with contextlib.suppress(KafkaError):
                position = self._consumer.position(part, timeout_ms=1_000)
                self._read[part] = max(self._read[part], position or 0)

    def note(self, waiting: Iterable[Any]) -> None:
        """Note that all that was read is done, but for these records: offsets stay before them."""
        done = dict(self._read)
        for record in waiting:
            part = TopicPartition(record.topic, record.partition)
            done[part] = min(done.get(part, record.offset), record.offset)
        self._done = done

    def uncommitted(self) -> dict[TopicPartition, int]:
        """Return the offsets of our partitions that are done and not committed."""
        return {
            part: offset
            for part, offset in self._done.items()
            if part in self.owned and offset > self._committed.get(part, -1)
        }

    def commit(self, within: float) -> None:
        """Commit them; KafkaError when the group does not take them."""
        if undone := self.uncommitted():
            self._consumer.commit(_offsets(undone), timeout_ms=within * 1000)
            self._committed.update(undone)


def part_of(arrival: Arrival) -> TopicPartition:
    """Return the partition of a record."""
    return TopicPartition(arrival.record.topic, arrival.record.partition)


def _offsets(plain: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
    return {part: OffsetAndMetadata(offset, "", -1) for part, offset in plain.items()}
