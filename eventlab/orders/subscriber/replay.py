"""Replaying dead letters: back to the topics that they came from, each of them once.

What was replayed is noted in the dead-letter topic itself: an empty record whose header says the
offset of the letter, written in the same transaction as the record that goes back. So a
replay that is interrupted has sent all or nothing, and none sends a letter that another has sent.

In memory are what the table says of each letter that is chosen, and some hundred whole letters: who
sends reads them a second time.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kafka import KafkaProducer

from eventlab.cluster import addresses
from eventlab.cluster.clients import connected
from eventlab.errors import InvalidSetting, shown
from eventlab.orders import letters
from eventlab.orders.publisher.connect import end, find_topics
from eventlab.orders.subscriber.log import CHUNK, at, place_of, read, reading
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
_LONGEST = 900_000  # ms: transaction.max.timeout.ms of a broker


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
    UnknownTopic (also of a topic that letters came from), KafkaAway, NeverHappened when it took
    longer than `within` seconds; then none was sent.
    """
    servers, deadline = addresses.parse(bootstrap_servers), Deadline(seconds("within", within))
    address = {"bootstrap_servers": servers, "bootstrap_timeout_ms": 5_000, **settings}
    chosen = _Choice(since, until, exception, key)
    with reading(address, topic) as consumer:
        sent, picked = set(), []
        for record in read(consumer, topic, deadline):
            sent |= _marks(record)
            if _is_letter(record) and chosen.has(record):
                picked.append(_without_value(record))
        picked.sort(key=_first)
        wanted = [each for each in picked if place_of(each) not in sent]
        if wanted and not dry_run:
            whole = at(consumer, topic, map(place_of, wanted), deadline)
            _send(address, topic, wanted, whole, deadline)
    return _frame(picked, sent)


def unsent(
    bootstrap_servers: str | Sequence[str], topic: str, *, within: float = 60.0, **settings: Any
) -> int:
    """Return how many letters of a dead-letter topic were not sent back; errors as `replay`."""
    servers, deadline = addresses.parse(bootstrap_servers), Deadline(seconds("within", within))
    address = {"bootstrap_servers": servers, "bootstrap_timeout_ms": 5_000, **settings}
    left: set[tuple[int, int]] = set()
    with reading(address, topic) as consumer:
        for record in read(consumer, topic, deadline):
            left -= _marks(record)  # a mark is behind its letter, in the same partition
            if _is_letter(record):
                left.add(place_of(record))
    return len(left)


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


def _send(
    address: dict[str, Any],
    topic: str,
    picked: Sequence[Any],
    whole: Iterable[Any],
    deadline: Deadline,
) -> None:
    """Send letters back and mark them, in one transaction."""
    homes = {letters.text(record.headers, letters.TOPIC) for record in picked}
    find_topics(address["bootstrap_servers"], address, *sorted(homes))
    producer = connected(
        KafkaProducer,
        transactional_id=f"{topic}-replay",  # a second replay at the same time is fenced off
        transaction_timeout_ms=min(_LONGEST, int(deadline.seconds * 1000)),
        compression_type="gzip",
        max_request_size=1 << 30,
        max_block_ms=10_000,
        allow_auto_create_topics=False,
        **address,
    )
    try:
        producer.init_transactions()
        producer.begin_transaction()
        for number, record in enumerate(whole, 1):
            _send_back(producer, topic, record)
            if not number % CHUNK:  # kafka-python has no buffer.memory that would stop a sender
                producer.flush(max(1.0, deadline.left))
        producer.commit_transaction()
    finally:
        end(producer, 5.0)


def _send_back(producer: Any, topic: str, record: Any) -> None:
    home = letters.text(record.headers, letters.TOPIC)
    value = letters.sendable(record.key, record.value)
    producer.send(home, value, record.key, headers=letters.replayed(record))
    mark = [(_REPLAYED, _OFFSET.pack(record.offset))]
    producer.send(topic, b"", record.key, headers=mark, partition=record.partition)


def _marks(record: Any) -> set[tuple[int, int]]:
    """Return the places of letters that a record says are replayed."""
    raw = dict(record.headers or ()).get(_REPLAYED)
    return {(record.partition, _OFFSET.unpack(raw)[0])} if raw and len(raw) == 8 else set()


def _without_value(record: Any) -> Any:
    """Return of a letter what a table says of it."""
    told = [header for header in record.headers if header[0] != letters.STACKTRACE]
    return record._replace(value=None, headers=told)


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
            place_of(record) in sent,
        )
        for record in picked
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
