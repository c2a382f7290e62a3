"""Recording a KafkaProducer: it stays the object it was, and its sends leave a trace.

The methods are replaced in the object itself, and hold it weakly: it goes when the learner lets go
of it. (Another class would do as well, and make each of its attributes slower to read: 3 % of the
throughput.) Its records are untouched: no header, no field, no other timestamp.
A few private names of kafka-python 3.0 are used: the future of a batch and a record's place in it
let one callback a batch do for its hundreds of records, and `_serialize` tells the bytes where
there is a serializer. A producer without them is refused.
"""

from __future__ import annotations

import functools
import itertools
import weakref
from collections.abc import Callable
from threading import get_ident, local
from time import time_ns
from typing import Any
from zlib import crc32

from kafka.errors import InvalidRecordError, KafkaError
from kafka.producer.future import FutureRecordMetadata

from eventlab.errors import InvalidSetting, NotSupported
from eventlab.history.names import checksum
from eventlab.history.outcomes import refused
from eventlab.history.recorder import Recorder
from eventlab.history.tables import FAIL, INFO, OK, PENDING

EXPLICIT = 1 << 32  # in a row of a send: the learner chose the partition
SETTINGS = (
    "acks",
    "enable_idempotence",
    "retries",
    "max_in_flight_requests_per_connection",
    "transactional_id",
)


def settings(producer: Any) -> dict[str, Any]:
    """Return the settings that what is allowed depends on, as they are in effect."""
    from kafka.partitioner import DefaultPartitioner

    kept = {name: producer.config[name] for name in SETTINGS}
    kept["retries"] = min(kept["retries"], 2**31 - 1)  # infinity is no JSON
    kept["default_partitioner"] = isinstance(producer.config["partitioner"], DefaultPartitioner)
    return kept


class Batches:
    """The batches that are on their way, and what became of them."""

    def __init__(self, recorder: Recorder, producer: Any) -> None:
        self._recorder = recorder
        self._acks, self._retries = producer.config["acks"], producer.config["retries"]
        self._metadata = weakref.ref(producer._metadata)
        self._extend, self._threads = recorder._sends.extend, recorder._threads
        self._thread, self._key = recorder._thread, recorder._names.key
        self._keys = recorder._names.keys
        self._open: dict[Any, int] = {}  # their answers, as the rows of their records have them

    def sent(self, begun: int, key: Any, value: Any, explicit: bool, future: Any) -> None:
        """Note a record that was put into a batch, and the batch when it is its first.

        This is run for every record, hence as few calls as can be.
        """
        batch, place = future._produce_future, future.args[0]
        answer = self._open.get(batch)
        if answer is None:
            if place < 0:  # kafka-python's own answer, without a batch: it got no metadata
                part = batch.topic_partition
                self.refused(begun, part.topic, part.partition, key, explicit, future.exception)
                return
            answer = self._begin(batch)
        try:
            number, seed = self._keys.get(key) or self._key(key)
            mixed = crc32(value, seed)
        except TypeError:
            (number, _), mixed = self._key(key), checksum(key, value)
        mixed |= self._threads.get(get_ident()) or self._thread()
        if explicit:
            mixed |= EXPLICIT
        self._extend((begun, number, mixed, answer | place))

    def refused(
        self, begun: int, topic: Any, partition: Any, key: Any, explicit: bool, error: Any
    ) -> None:
        """Note a record that never got as far as a batch."""
        number = partition if isinstance(partition, int) and 0 <= partition < 2**31 else -1
        answer = self._recorder._open(self._recorder._names.part(str(topic), number))
        self._recorder._send(begun, key, 0, explicit, answer, 0)
        outcome = FAIL if isinstance(error, Exception) else INFO  # an interrupt may come too late
        self._recorder._close(answer, outcome, -1, error, None)

    def _begin(self, batch: Any) -> int:
        topic, partition = batch.topic_partition
        self._know(topic)
        answer = self._recorder._open(self._recorder._names.part(topic, partition))
        self._open[batch] = answer << 24
        batch.add_callback(self._answered, batch, answer)
        return answer << 24

    def _know(self, topic: str) -> None:
        """Keep the id of a topic: one that is deleted and created anew is another."""
        known, metadata = self._recorder._names.topic_ids, self._metadata()
        if topic not in known and metadata is not None:
            known[topic] = str(metadata.topic_id(topic) or "")

    def _answered(self, batch: Any, answer: int, result: Any) -> None:
        self._open.pop(batch, None)
        offset, _, errors = result
        outcome, offset, error = self._ended(offset, errors and errors(0))
        self._recorder._close(answer, outcome, offset, error, None)

    def _ended(self, offset: int, error: Any) -> tuple[int, int, Any]:
        """Return how a send ended, at which offset and with which error."""
        if error is None:  # of acks=0, kafka-python 3.0.12 tells offset 0
            return (OK, offset, None) if self._acks and offset >= 0 else (INFO, -1, None)
        # One record that is wrong makes a broker refuse the whole batch; kafka-python tells the
        # others so by a plain KafkaError.
        alike = InvalidRecordError() if type(error) is KafkaError else error
        return (FAIL if refused(alike, self._retries) else INFO), -1, alike

    def settle(self) -> None:
        """Find what became of the records of batches that were split for being too large.

        kafka-python gives their futures to smaller batches, and never completes the old one, which
        keeps them as its callbacks.
        """
        for batch, answer in list(self._open.items()):
            futures = (getattr(callback, "__self__", None) for callback in batch._callbacks or ())
            records = (future for future in futures if isinstance(future, FutureRecordMetadata))
            for place, future in enumerate(records):
                if future.is_done and future._produce_future is not batch:
                    offset = future.value.offset if future.value else -1
                    self._recorder._stray(answer | place, *self._ended(offset, future.exception))


def record(producer: Any, recorder: Recorder) -> None:
    """Make a producer record its sends and transactions from now on."""
    _require(producer)
    batches, me, base = Batches(recorder, producer), weakref.ref(producer), type(producer)
    recorder.settle = batches.settle
    serialises = producer.config["key_serializer"] or producer.config["value_serializer"]
    methods = (_serialising if serialises else _sending)(base, me, batches)
    if producer.config["transactional_id"]:
        methods |= _transactions(base, me, recorder)
    for name, method in methods.items():
        setattr(producer, name, functools.wraps(getattr(base, name))(method))


def _require(producer: Any) -> None:
    from kafka import __version__

    if not hasattr(FutureRecordMetadata, "_produce_future") or not hasattr(producer, "_serialize"):
        raise NotSupported(
            "This kafka-python cannot be recorded.",
            f"It is version {__version__}.",
            "Install kafka-python>=3.0.12,<3.1, or record by hand with run.recorder(...).",
        )


def _this(me: Callable[[], Any]) -> Any:
    """Return the producer; its methods do not keep it alive, as those of others do."""
    producer = me()
    if producer is None:
        raise InvalidSetting(
            "This producer is gone.",
            "No variable holds it any more.",
            "Keep it in one: producer = run.producer(KafkaProducer(...)).",
        )
    return producer


def _sending(base: Any, me: Callable[[], Any], batches: Batches) -> dict[str, Any]:
    def send(
        topic: Any,
        value: Any = None,
        key: Any = None,
        headers: Any = None,
        partition: Any = None,
        timestamp_ms: Any = None,
    ) -> Any:
        begun, this = time_ns(), me() or _this(me)
        try:
            future = base.send(this, topic, value, key, headers, partition, timestamp_ms)
        except BaseException as error:
            batches.refused(begun, topic, partition, key, partition is not None, error)
            raise
        batches.sent(begun, key, value, partition is not None, future)
        return future

    return {"send": send}


def _serialising(base: Any, me: Callable[[], Any], batches: Batches) -> dict[str, Any]:
    """Note the bytes that the serializers make of key and value."""
    heard = local()

    def send(
        topic: Any,
        value: Any = None,
        key: Any = None,
        headers: Any = None,
        partition: Any = None,
        timestamp_ms: Any = None,
    ) -> Any:
        begun, this, heard.made = time_ns(), _this(me), []
        try:
            future = base.send(this, topic, value, key, headers, partition, timestamp_ms)
        except BaseException as error:
            batches.refused(begun, topic, partition, None, partition is not None, error)
            raise
        key, value = heard.made
        batches.sent(begun, key, value, partition is not None, future)
        return future

    def _serialize(*args: Any) -> Any:
        made = base._serialize(_this(me), *args)
        heard.made.append(made)  # the key, then the value
        return made

    return {"send": send, "_serialize": _serialize}


def _transactions(base: Any, me: Callable[[], Any], recorder: Recorder) -> dict[str, Any]:
    """Note where transactions begin and how they end."""
    number = itertools.count()
    current = [-1]

    def begin_transaction() -> None:
        base.begin_transaction(_this(me))
        current[0] = next(number)
        recorder._transaction(current[0], PENDING)

    def ending(end: Callable[[Any], None], outcome: int) -> Callable[[], None]:
        def ended() -> None:
            begun = time_ns()
            try:
                end(_this(me))
            except BaseException as error:
                recorder._transaction(current[0], INFO, error, begun)
                raise
            recorder._transaction(current[0], outcome, None, begun)

        return ended

    return {
        "begin_transaction": begin_transaction,
        "commit_transaction": ending(base.commit_transaction, OK),
        "abort_transaction": ending(base.abort_transaction, FAIL),
    }
