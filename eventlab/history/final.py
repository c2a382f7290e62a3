"""The final read: a client that nobody used before reads each partition from its beginning."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import time_ns
from typing import Any

import numpy as np
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from eventlab.errors import HistoryMismatch, NeverHappened
from eventlab.history.clients import opened
from eventlab.history.names import Names, checksums
from eventlab.history.tables import WIDTHS, Column, Log
from eventlab.progress import Progress
from eventlab.waiting import Deadline, wait_until

EACH = 5.0  # seconds for the edges of all partitions, or of one whose leader is away
SETTLE = 2.0  # seconds for followers to copy what acks=1 acknowledged: until then nobody reads it


@dataclass
class Part:
    """One partition: its edges, how far it was read, and what is in it."""

    start: int
    end: int
    reached: int
    offsets: array[int] = field(default_factory=lambda: array("q"))
    checks: array[int] = field(default_factory=lambda: array("I"))
    times: array[int] = field(default_factory=lambda: array("q"))

    def take(self, records: list[Any]) -> None:
        """Keep the records that were there when the edges were asked for."""
        self.reached = records[-1].offset + 1
        kept = [record for record in records if record.offset < self.end]
        self.offsets.extend([record.offset for record in kept])
        self.checks.extend(checksums(kept))
        self.times.extend([record.timestamp for record in kept])


def final_read(
    address: Mapping[str, Any],
    names: Names,
    topics: list[str],
    cluster_id: str,
    acknowledged: Mapping[int, int],
    deadline: Deadline,
) -> Log:
    """Read these topics up to their ends of now, or those that were acknowledged, by partition.

    What cannot be read in time is told in `unread`. HistoryMismatch on another cluster.
    """
    begun = time_ns()
    unread: list[str] = []
    read: dict[int, Part] = {}
    try:
        with opened(
            KafkaConsumer,
            address,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="none",
            max_poll_records=5000,
            request_timeout_ms=10_000,
            bootstrap_timeout_ms=int(min(deadline.left, 10) * 1000),
        ) as consumer:
            _refuse_other(consumer, cluster_id)
            parts = _partitions(consumer, names, topics, unread)
            read = _edges(consumer, parts, names, deadline, unread)
            _settle(consumer, names, read, acknowledged, deadline)
            _read(consumer, names, read, deadline)
    except KafkaError as error:
        unread.append(f"The final read broke off: {type(error).__name__}.")
    for number, part in read.items():
        if part.reached < part.end:
            topic, partition = names.parts[number]
            far = f"was read to offset {part.reached} of {part.end}"
            unread.append(f"{topic}-{partition} {far} in {deadline.seconds:.0f} seconds.")
    return _log(read, names, begun, tuple(unread))


def _refuse_other(consumer: Any, cluster_id: str) -> None:
    found = consumer._cluster.cluster_id
    if cluster_id and found and found != cluster_id:
        raise HistoryMismatch(
            "This history was recorded on another cluster.",
            f"It is of the cluster {cluster_id}, and this one is {found}.",
            "Judge it by what it holds: history.load(path).verify(), without a cluster.",
        )


def _partitions(
    consumer: Any, names: Names, topics: list[str], unread: list[str]
) -> list[TopicPartition]:
    """Return the partitions of these topics, as far as they are still those of the run."""
    found = []
    for topic in topics:
        numbers = consumer.partitions_for_topic(topic)
        told = names.topic_ids.get(topic, ""), str(consumer._cluster.topic_id(topic))
        if not numbers:
            unread.append(f"The topic {topic} is not there any more.")
        elif told[0] and told[0] != told[1]:
            unread.append(f"The topic {topic} is another: it was deleted and created anew.")
        else:
            found += [TopicPartition(topic, number) for number in sorted(numbers)]
    return found


def _edges(
    consumer: Any,
    parts: list[TopicPartition],
    names: Names,
    deadline: Deadline,
    unread: list[str],
) -> dict[int, Part]:
    """Ask for the edges of all partitions, and where that fails, of each."""
    read: dict[int, Part] = {}
    asked: list[list[TopicPartition]] = [parts]
    while asked:
        some = asked.pop()
        within = int(min(EACH, deadline.left) * 1000)
        try:
            starts = consumer.beginning_offsets(some, timeout_ms=within)
            ends = consumer.end_offsets(some, timeout_ms=within)
        except KafkaError as error:
            if len(some) > 1:
                asked += [[part] for part in reversed(some)]
            elif some:
                topic, partition = some[0]
                unread.append(f"{topic}-{partition} did not answer: {type(error).__name__}.")
        else:
            read |= {
                names.part(*part): Part(starts[part], ends[part], starts[part]) for part in some
            }
    return read


def _settle(
    consumer: Any,
    names: Names,
    read: dict[int, Part],
    acknowledged: Mapping[int, int],
    deadline: Deadline,
) -> None:
    """Wait a moment for ends that are below what was acknowledged; they may never come."""
    wanted = {number: acknowledged.get(number, 0) for number in read}
    late = {
        TopicPartition(*names.parts[number]): number
        for number, part in read.items()
        if part.end < wanted[number]
    }

    def settled() -> bool:
        told = consumer.end_offsets(list(late), timeout_ms=int(SETTLE * 1000))
        for part, number in late.items():
            read[number].end = max(read[number].end, told[part])
        there = all(read[number].end >= wanted[number] for number in late.values())
        return there or not deadline.left

    if late:
        with contextlib.suppress(NeverHappened, KafkaError):
            wait_until(settled, SETTLE, "What was acknowledged is not there.")


def _read(consumer: Any, names: Names, read: dict[int, Part], deadline: Deadline) -> None:
    """Read until every partition is at its end, or the deadline is over."""
    at = {TopicPartition(*names.parts[number]): part for number, part in read.items()}
    left = {part: told for part, told in at.items() if told.start < told.end}
    if not left:
        return
    consumer.assign(list(left))
    for part, told in left.items():
        consumer.seek(part, told.start)
    total = sum(told.end - told.start for told in left.values())
    with Progress("Final read", "records") as progress:
        while left and deadline.left:
            polled = consumer.poll(timeout_ms=100)
            for part, records in polled.items():
                at[part].take(records)
            for part in [] if polled else left:  # the control records at an end are not delivered
                at[part].reached = max(at[part].reached, consumer.position(part, timeout_ms=100))
            done = [part for part, told in left.items() if told.reached >= told.end]
            consumer.pause(*done)
            left = {part: told for part, told in left.items() if part not in done}
            progress(total - sum(told.end - told.reached for told in left.values()), total)


def _log(read: dict[int, Part], names: Names, begun: int, unread: tuple[str, ...]) -> Log:
    """Return what was read as a table; partitions that were not read are read up to -1."""
    count = len(names.parts)
    known = np.array([partition >= 0 for _, partition in names.parts], bool)
    edges = {"start": np.zeros(count), "end": np.zeros(count), "reached": np.where(known, -1, 0)}
    for number, part in read.items():
        for name, column in edges.items():
            column[number] = getattr(part, name)
    numbers = sorted(read)
    columns = {
        "part": np.repeat(numbers, [len(read[number].offsets) for number in numbers]),
        "offset": _joined(read[number].offsets for number in numbers),
        "check": _joined(read[number].checks for number in numbers),
        "time": _joined(read[number].times for number in numbers),
        **edges,
        "compacted": np.zeros(count),
    }
    table = {name: columns[name].astype(width) for name, width in WIDTHS[Log].items()}
    return Log(**table, begun=begun, unread=unread)


def _joined(columns: Iterable[array[int]]) -> Column:
    return np.concatenate([np.zeros(0, np.int64), *map(np.asarray, columns)])
