"""A dead letter: a record that could not be handled, with headers that say why and where it was.

The names of the headers, and their bytes, are those of Spring (spring-kafka's `KafkaHeaders` and
`DeadLetterPublishingRecoverer`), so that the tools for dead letters know them: numbers are
big-endian, of 4 bytes (partition, attempts) or 8 (offset, timestamp), the rest is UTF-8.
"""

from __future__ import annotations

import struct
import traceback
from collections.abc import Sequence
from typing import Any

SUFFIX = "-dlt"  # of a topic's dead-letter topic
TOPIC = "kafka_dlt-original-topic"
PARTITION = "kafka_dlt-original-partition"
OFFSET = "kafka_dlt-original-offset"
TIMESTAMP = "kafka_dlt-original-timestamp"
TIMESTAMP_TYPE = "kafka_dlt-original-timestamp-type"
GROUP = "kafka_dlt-original-consumer-group"
EXCEPTION = "kafka_dlt-exception-fqcn"
MESSAGE = "kafka_dlt-exception-message"
STACKTRACE = "kafka_dlt-exception-stacktrace"
ATTEMPTS = "retry_topic-attempts"  # Spring's RetryTopicHeaders: how often it was delivered

_LONGEST = 8_000  # characters of a stack trace: the record has to fit into its topic again
_TYPES = {0: "CreateTime", 1: "LogAppendTime"}
_INT, _LONG = struct.Struct(">i"), struct.Struct(">q")

Headers = list[tuple[str, bytes]]


def headers(record: Any, error: BaseException, group: str) -> Headers:
    """Return the headers of a record's dead letter: its own, its first place, and the error."""
    first = {
        TOPIC: record.topic.encode(),
        PARTITION: _INT.pack(record.partition),
        OFFSET: _LONG.pack(record.offset),
        TIMESTAMP: _LONG.pack(record.timestamp),
        TIMESTAMP_TYPE: _TYPES.get(record.timestamp_type, "NoTimestampType").encode(),
        GROUP: group.encode(),
    }
    before = dict(record.headers or ())
    why = {EXCEPTION: _name(type(error)), MESSAGE: str(error)[:_LONGEST]}
    why |= {STACKTRACE: _trace(error)}
    told: Headers = [(name, before.get(name) or value) for name, value in first.items()]
    told += [(name, text.encode("utf-8", "replace")) for name, text in why.items()]
    return [*own(record), *told, (ATTEMPTS, _INT.pack(attempts(record)))]


def replayed(record: Any) -> Headers:
    """Return the headers with which a dead letter goes back: its own, its place, one try more."""
    found = dict(record.headers)
    first = (TOPIC, PARTITION, OFFSET, TIMESTAMP, GROUP)  # others than we may leave some out
    kept = [(name, found[name]) for name in first if name in found]
    return [*own(record), *kept, (ATTEMPTS, _INT.pack(attempts(record) + 1))]


def sendable(key: bytes | None, value: bytes | None) -> bytes | None:
    """Return the value of a record as kafka-python sends it: not None when the key is None."""
    return b"" if key is None and value is None else value


def own(record: Any) -> Headers:
    """Return the headers that the publisher of a record gave to it."""
    return [
        (name, value)
        for name, value in record.headers or ()
        if not name.startswith("kafka_dlt-") and name != ATTEMPTS
    ]


def attempts(record: Any) -> int:
    """Return how often a record was delivered, this time included: 1, until it is replayed."""
    return _number(_INT, dict(record.headers or ()).get(ATTEMPTS)) or 1


def place(record: Any) -> tuple[int, int]:
    """Return partition and offset where a record was first, before any replay."""
    if not record.headers:
        return record.partition, record.offset
    found = dict(record.headers)
    partition, offset = (
        _number(_INT, found.get(PARTITION)),
        _number(_LONG, found.get(OFFSET)),
    )
    if partition is None or offset is None:
        return record.partition, record.offset
    return partition, offset


def text(headers: Sequence[tuple[str, bytes]], name: str) -> str:
    """Return a header as text, "" when there is none."""
    return (dict(headers).get(name) or b"").decode("utf-8", "replace")


def _number(kind: struct.Struct, raw: bytes | None) -> int | None:
    """Return a number of Spring's headers, None for what is none: anybody can send a header."""
    if not isinstance(raw, bytes) or len(raw) != kind.size:
        return None
    number: int = kind.unpack(raw)[0]
    return number


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-_LONGEST:]
