"""The records of a topic as a table: what is in the log, not what a group has read of it."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from contextlib import closing
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from eventlab.errors import NeverHappened, UnreadableRecords, shown
from eventlab.observe import checks, ranges
from eventlab.observe.checks import Edge
from eventlab.observe.client import Client, Target, opened
from eventlab.observe.ranges import Range
from eventlab.waiting import Deadline

MOST = 100_000  # rows, unless a limit is given
_LAST = (2**63 - 1) // 10**6  # ms; pandas counts nanoseconds, up to a day of 2262
LEVELS = ("read_uncommitted", "read_committed")  # Kafka numbers them 0 and 1


def records(
    cluster: Target,
    topic: str,
    *,
    partition: int | Collection[int] | None = None,
    start: Edge = None,
    end: Edge = None,
    limit: int | None = None,
    within: float = 30.0,
    isolation_level: str = "read_uncommitted",
    check_crcs: bool = True,
) -> pd.DataFrame:
    """Return the records that a topic holds now, sorted by partition and offset.

    Columns: topic, partition, offset, time (UTC; set by the producer, unless the topic says
    otherwise), key and value (bytes, or None: a value of None is a tombstone), headers (a tuple of
    (str, bytes)). No group is joined, nothing is committed.

    `start` and `end` (left out itself) are offsets, or times with a timezone: those of the first
    record that is as young. `limit` is the most rows, as many of each partition as it has; without
    it there are up to 100,000, and a warning when there would be more. `isolation_level` and
    `check_crcs` are those of KafkaConsumer; without checks it is three times as fast.

    UnknownTopic; InvalidSetting for an offset or a partition that is not there; NeverHappened when
    not all were read within so many seconds; UnreadableRecords.
    """
    numbers = checks.numbers(partition)
    edges = checks.edge("start", start), checks.edge("end", end)
    checks.number("limit", MOST if limit is None else limit, 1, 10**9, whole=True)
    checks.number("within", within, 0, 10**6)
    checks.choice("isolation_level", isolation_level, LEVELS)
    config = {"isolation_level": isolation_level, "check_crcs": check_crcs}
    deadline = Deadline(within)
    with opened(cluster) as client:
        isolation = LEVELS.index(isolation_level)
        found = ranges.find(client, topic, numbers, edges, isolation, deadline)
        most = ranges.shares([each.size for each in found], limit or MOST)
        read = [_Rows(each, many) for each, many in zip(found, most, strict=True) if many]
        if read:
            _read(client, read, deadline, config)
        client.unknown.clear()  # all that was asked for was read
    _warn_of_more(topic, sum(each.size for each in found) - MOST if limit is None else 0)
    return _frame(topic, read)


def _warn_of_more(topic: str, more: int) -> None:
    if more > 0:
        warnings.warn(
            f"'{topic}' has up to {more:,} records more than these {MOST:,}. "
            "Ask for a part with partition=, start= and end=, or raise limit=.",
            stacklevel=3,
        )


class _Rows:
    """The records of one partition, column by column, in pieces as they came."""

    def __init__(self, wanted: Range, most: int) -> None:
        self.wanted, self.most = wanted, most
        self.offsets: list[Any] = []
        self.times: list[Any] = []
        self.keys: list[bytes | None] = []
        self.values: list[bytes | None] = []
        self.headers: list[tuple[tuple[str, bytes | None], ...]] = []

    def add(self, records: list[Any]) -> None:
        """Take what is before the end, and no more than is wanted."""
        end, room = self.wanted.end, self.most - len(self.keys)
        if records[-1].offset >= end or len(records) > room:
            records = [record for record in records if record.offset < end][:room]
        self.offsets.append(np.array([record.offset for record in records], dtype="int64"))
        self.times.append(np.array([record.timestamp for record in records], dtype="int64"))
        self.keys += [record.key for record in records]
        self.values += [record.value for record in records]
        self.headers += [tuple(record.headers) for record in records]


def _read(client: Client, read: list[_Rows], deadline: Deadline, config: dict[str, Any]) -> None:
    by_place = {TopicPartition(*rows.wanted.place): rows for rows in read}
    try:
        with closing(client.consumer(client.everyone(list), deadline, config)) as consumer:
            _fill(consumer, by_place, deadline)
    except KafkaTimeoutError:
        raise _unread(by_place, deadline) from None
    except KafkaError as error:
        raise UnreadableRecords(
            f"The records of '{read[0].wanted.place[0]}' cannot be read.",
            f"It gave {type(error).__name__}: {shown(str(error))}.",
            "If records were deleted meanwhile, read again; else look at observe.partitions.",
        ) from None


def _fill(consumer: KafkaConsumer, left: dict[TopicPartition, _Rows], deadline: Deadline) -> None:
    """Read each partition from its start until there are as many records as wanted, or its end."""
    consumer.assign(list(left))
    for place, rows in left.items():
        consumer.seek(place, rows.wanted.start)
    while left:
        if not deadline.left:
            raise _unread(left, deadline)
        polled = consumer.poll(timeout_ms=min(500, int(deadline.left * 1000)))
        for place, records in polled.items():
            left[place].add(records)
        for place, rows in list(left.items()):
            if len(rows.keys) >= rows.most or consumer.position(place) >= rows.wanted.end:
                consumer.pause(place)
                del left[place]


def _unread(left: dict[TopicPartition, _Rows], deadline: Deadline) -> NeverHappened:
    numbers = ", ".join(str(place.partition) for place in left)
    came = sum(len(rows.keys) for rows in left.values())
    return NeverHappened(
        "Not all records were read in time.",
        f"In {deadline.seconds:g} seconds {came} came of partition {numbers}, which has more.",
        "Raise within=, ask for less with limit=, or look at observe.brokers(cluster).",
    )


def _frame(topic: str, read: list[_Rows]) -> pd.DataFrame:
    counts = [len(rows.keys) for rows in read]
    numbers = np.array([rows.wanted.place[1] for rows in read], dtype="int64")
    return pd.DataFrame(
        {
            "topic": _objects([[topic] * sum(counts)]),
            "partition": np.repeat(numbers, counts),
            "offset": _joined([rows.offsets for rows in read]),
            "time": _times(_joined([rows.times for rows in read])),
            "key": _objects([rows.keys for rows in read]),
            "value": _objects([rows.values for rows in read]),
            "headers": _objects([rows.headers for rows in read]),
        }
    )


def _joined(pieces: list[list[Any]]) -> Any:
    return np.concatenate([np.array([], dtype="int64"), *chain.from_iterable(pieces)])


def _objects(columns: list[list[Any]]) -> pd.Series:
    return pd.Series(list(chain.from_iterable(columns)), dtype="object")


def _times(milliseconds: Any) -> pd.Series:
    """Return UTC times; NaT for none (-1), and for those that pandas cannot count."""
    known = (milliseconds >= 0) & (milliseconds <= _LAST)
    nanoseconds = np.where(known, milliseconds * 10**6, np.iinfo("int64").min)
    return pd.Series(nanoseconds.astype("datetime64[ns]")).dt.tz_localize("UTC")
