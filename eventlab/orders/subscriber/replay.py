"""Replaying dead letters: back to the topics that they came from, each of them once.

What was replayed is noted in the dead-letter topic itself: an empty record whose header says the
offset of the letter, written in the same transaction as the record that goes back. So a
replay that is interrupted has sent all or nothing, and none sends a letter that another has sent.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from eventlab.cluster.clients import connected
from eventlab.errors import InvalidSetting, NeverHappened, shown
from eventlab.orders import letters
from eventlab.orders.publisher.connect import addresses, away, end, find_topics
from eventlab.waiting import Deadline, seconds

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    *("topic", "partition", "offset", "time", "key"),
    *("original_topic", "original_partition", "original_offset"),
    *("group_id", "exception", "message", "attempts", "replayed"),
]
_REPLAYED = "eventlab-replayed-offset"
_OFFSET = struct.Struct(">q")


def replay(
    bootstrap_servers: str | Sequence[str],
    topic: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    exception: str | None = None,
    key: bytes | str | None = None,
    dry_run: bool = True,
    within: float = 60.0,
    **settings: Any,
) -> pd.DataFrame:
    """Send dead letters back, in the order in which they first were; a dry run sends nothing.

    Chosen are those of a time, of a key, and of an exception by a part of its name. Each goes to
    its original topic with its key, value and headers, and one that tells its first place and how
    often it was tried. Returned are the chosen: topic, partition, offset and time of the letter,
    key, original_topic, original_partition, original_offset, group_id, exception, message,
    attempts, and replayed: whether an earlier replay has sent it; then it is not sent again.
    UnknownTopic, KafkaAway, NeverHappened when it took longer than `within` seconds.
    """
    servers, deadline = addresses(bootstrap_servers), Deadline(seconds("within", within))
    address = {"bootstrap_servers": servers, "bootstrap_timeout_ms": 5_000, **settings}
    chosen = _Choice(since, until, exception, key)
    try:
        found = _read(address, topic, deadline)
        sent = {offset for part in found for offset in _marks(part)}
        picked = sorted((r for r in found if _is_letter(r) and chosen.has(r)), key=_first)
        if not dry_run:
            _send(address, topic, [r for r in picked if (r.partition, r.offset) not in sent])
    except KafkaError as error:
        raise away(servers, error) from None
    return _frame(picked, sent)


class _Choice:
    """Which letters are meant."""

    def __init__(self, since: Any, until: Any, exception: Any, key: Any) -> None:
        for moment in (since, until):
            if moment is not None and (not isinstance(moment, datetime) or moment.tzinfo is None):
                fix = "Use a datetime in UTC, such as datetime.now(UTC)."
                raise InvalidSetting("This is no time.", f"You gave {shown(moment)}.", fix)
        self._since, self._until = since, until
        self._exception = exception or ""
        self._key = key.encode() if isinstance(key, str) else key

    def has(self, record: Any) -> bool:
        """Say whether a letter is one of them."""
        time = _time(record)
        return (
            (self._since is None or time >= self._since)
            and (self._until is None or time < self._until)
            and (self._key is None or record.key == self._key)
            and self._exception in letters.text(record.headers, letters.EXCEPTION)
        )


def _read(address: dict[str, Any], topic: str, deadline: Deadline) -> list[Any]:
    """Return all records of a topic up to now; of a replay that was interrupted there is none."""
    find_topics(address["bootstrap_servers"], address, topic)
    consumer = connected(KafkaConsumer, isolation_level="read_committed", **address)
    try:
        parts = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends = consumer.end_offsets(parts)
        records: list[Any] = []
        while any(consumer.position(part) < ends[part] for part in parts):
            if not deadline.left:
                raise NeverHappened(
                    f"{topic} was not read to its end.",
                    f"{len(records)} records were read up to {ends}.",
                    "Pass a longer within=, in seconds.",
                )
            records += [r for some in consumer.poll(timeout_ms=200).values() for r in some]
        return records
    finally:
        consumer.close()


def _send(address: dict[str, Any], topic: str, picked: Collection[Any]) -> None:
    """Send letters back and mark them, in one transaction."""
    if not picked:
        return
    producer = connected(
        KafkaProducer,
        transactional_id=f"{topic}-replay",  # a second replay at the same time is fenced off
        compression_type="gzip",
        max_request_size=1 << 30,
        max_block_ms=10_000,
        **address,
    )
    try:
        producer.init_transactions()
        producer.begin_transaction()
        for record in picked:
            home = letters.text(record.headers, letters.TOPIC)
            value = letters.sendable(record.key, record.value)
            producer.send(home, value, record.key, headers=letters.replayed(record))
            mark = [(_REPLAYED, _OFFSET.pack(record.offset))]
            producer.send(topic, b"", record.key, headers=mark, partition=record.partition)
        producer.commit_transaction()
    finally:
        end(producer, 5.0)


def _marks(record: Any) -> list[tuple[int, int]]:
    """Return the places of letters that a record says are replayed."""
    raw = dict(record.headers or ()).get(_REPLAYED)
    return [(record.partition, _OFFSET.unpack(raw)[0])] if raw and len(raw) == 8 else []


def _is_letter(record: Any) -> bool:
    return bool(letters.text(record.headers or (), letters.TOPIC))


def _first(record: Any) -> tuple[str, int, int]:
    return (letters.text(record.headers, letters.TOPIC), *letters.place(record))


def _time(record: Any) -> datetime:
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)


def _frame(picked: Sequence[Any], sent: Collection[tuple[int, int]]) -> pd.DataFrame:
    import pandas as pd

    rows = [
        (
            *(record.topic, record.partition, record.offset, _time(record), record.key),
            *_first(record),
            *(letters.text(record.headers, n) for n in (letters.GROUP, letters.EXCEPTION)),
            letters.text(record.headers, letters.MESSAGE),
            letters.attempts(record),
            (record.partition, record.offset) in sent,
        )
        for record in picked
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
