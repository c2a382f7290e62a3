"""The small interface through which any client is recorded: what happened, in plain calls.

    recorder = run.recorder("billing", group_id="billing")
    send = recorder.sent("orders", key=b"c1", value=b"...")
    recorder.acked(send, partition=0, offset=17)       # or failed(...), or unknown(...)
    recorder.read("orders", 0, 17, key=b"c1", value=b"...")

Columns are arrays of integers that only grow: a send takes 32 bytes and its share of an answer, a
read 12 and its share of a poll. Sends may come from many threads: a row is one `extend`, which no
other thread can cut in two. Each thread is a process of its own, since only what one thread does
has an order.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from threading import get_ident
from time import time_ns
from typing import Any
from zlib import crc32

from eventlab.history.names import SALT, SEED, Names, checksum
from eventlab.history.outcomes import REFUSED
from eventlab.history.tables import (
    ASSIGN,
    COMMIT,
    FAIL,
    HANDLE,
    INFO,
    OK,
    PENDING,
    REVOKE,
    SEEK,
    TXN,
)

BEGINNING, END = -2, -1  # offsets that a consumer may seek by word


class Recorder:
    """What one client did. `at` is a time in nanoseconds since 1970; without it, it is now."""

    def __init__(
        self, names: Names, client: str, group_id: str | None = None, **settings: Any
    ) -> None:
        self.client, self.group_id, self.settings = client, group_id, settings
        self._names = names
        self._sends = array("q")  # time, key, thread/explicit/check, answer/place in it
        self._answers = array("q")  # part, offset of the first record, time, outcome/error
        self._polls = array("q")  # time, part/epoch, count
        self._offsets, self._checks = array("q"), array("I")
        self._events = array("q")  # begun, ended, what, outcome, part, number, error
        self._threads: dict[int, int] = {}
        self._epochs: dict[int, int] = {}
        self._owned: set[tuple[str, int]] = set()
        self._strays: dict[int, tuple[int, int, int, int]] = {}
        self._at = "", -1, 0  # topic, partition, part/epoch of the record that was read last
        self.thread = 0  # that polled last
        self.settle: Callable[[], None] = lambda: None  # what is to be done before a look at it

    def sent(
        self,
        topic: str,
        key: bytes | None = None,
        value: bytes | None = None,
        *,
        partition: int | None = None,
        at: int | None = None,
    ) -> int:
        """Record a send; return its number, to say later what became of it."""
        explicit = partition is not None
        send = self._open(self._names.part(topic, -1 if partition is None else partition))
        self._send(at or time_ns(), key, checksum(key, value), explicit, send, 0)
        return send

    def acked(self, send: int, partition: int, offset: int, *, at: int | None = None) -> None:
        """Record that a send was acknowledged, and at which offset; -1 is nobody knows (acks=0)."""
        topic, _ = self._names.parts[self._answers[4 * send]]
        self._answers[4 * send] = self._names.part(topic, partition)
        self._close(send, OK if offset >= 0 else INFO, offset, None, at)

    def failed(self, send: int, error: BaseException | str, *, at: int | None = None) -> None:
        """Record that a send certainly did not happen."""
        self._close(send, FAIL, -1, error, at)

    def unknown(self, send: int, error: BaseException | str, *, at: int | None = None) -> None:
        """Record that nobody knows whether a send happened, as after a timeout."""
        self._close(send, INFO, -1, error, at)

    def read(
        self,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None = None,
        value: bytes | None = None,
        *,
        at: int | None = None,
    ) -> None:
        """Record that a record was read."""
        self._poll(topic, partition, [offset], [checksum(key, value)], at)

    def assigned(
        self, parts: Iterable[tuple[str, int]], generation: int = -1, *, at: int | None = None
    ) -> None:
        """Record that (topic, partition)s are this client's, in a generation of its group."""
        told = list(parts)
        self._owned |= set(told)
        self._own(ASSIGN, told, generation, at)

    def revoked(self, parts: Iterable[tuple[str, int]], *, at: int | None = None) -> None:
        """Record that (topic, partition)s are this client's no longer."""
        told = list(parts)
        self._owned -= set(told)
        self._own(REVOKE, told, -1, at)

    def owns(
        self, parts: Iterable[tuple[str, int]], generation: int = -1, *, at: int | None = None
    ) -> None:
        """Record that these are all the (topic, partition)s that are this client's."""
        now = {(topic, partition) for topic, partition in parts}
        self.revoked(sorted(self._owned - now), at=at)
        self.assigned(sorted(now - self._owned), generation, at=at)

    def sought(self, topic: str, partition: int, offset: int, *, at: int | None = None) -> None:
        """Record that the client was told to go on reading at an offset."""
        self._own(SEEK, [(topic, partition)], offset, at)

    def committed(
        self,
        offsets: Mapping[tuple[str, int], int],
        error: BaseException | str | None = None,
        *,
        begun: int | None = None,
        at: int | None = None,
        outcome: int | None = None,
    ) -> None:
        """Record a commit of {(topic, partition): offset}; with an error it did not happen."""
        kind = (FAIL if error else OK) if outcome is None else outcome
        for (topic, partition), offset in offsets.items():
            part = self._names.part(topic, partition)
            self._event(COMMIT, kind, part, offset, error, begun, at)

    def handled(
        self,
        topic: str,
        partition: int,
        offset: int,
        error: BaseException | str | None = None,
        *,
        at: int | None = None,
    ) -> None:
        """Record that the effect of a record was done, or was not."""
        part = self._names.part(topic, partition)
        self._event(HANDLE, FAIL if error else OK, part, offset, error, at, at)

    def delivery(
        self, topic: str, key: Any = None, value: Any = None
    ) -> Callable[[Any, Any], None]:
        """Record a send of confluent-kafka; return its delivery callback.

        producer.produce(topic, value, key, on_delivery=recorder.delivery(topic, key, value))
        """
        send = self.sent(topic, _raw(key), _raw(value))

        def told(error: Any, message: Any) -> None:
            if error is None:
                self.acked(send, message.partition(), message.offset())
            else:
                (self.failed if error.code() in REFUSED else self.unknown)(send, error.name())

        return told

    def messages(self, messages: Iterable[Any]) -> None:
        """Record what confluent-kafka's poll or consume returned; errors among it are skipped."""
        for message in messages:
            if message is not None and not message.error():
                key, value = message.key(), message.value()
                self.read(message.topic(), message.partition(), message.offset(), key, value)

    def _send(
        self, begun: int, key: Any, check: int, explicit: bool, answer: int, place: int
    ) -> None:
        thread = self._threads.get(get_ident()) or self._thread()
        number, _ = self._names.key(key)
        self._sends.extend((begun, number, thread | explicit << 32 | check, answer << 24 | place))

    def _thread(self) -> int:
        """Return the number of a thread that sends for the first time, as its rows have it."""
        return self._threads.setdefault(get_ident(), len(self._threads) + 1 << 33)

    def _open(self, part: int) -> int:
        """Return the number of an answer that is awaited, for a send or for a batch of them."""
        with self._names.lock:
            self._answers.extend((part, -1, 0, PENDING))
            return len(self._answers) // 4 - 1

    def _close(self, answer: int, outcome: int, offset: int, error: Any, at: int | None) -> None:
        self._answers[4 * answer + 1] = offset
        self._answers[4 * answer + 2] = at or time_ns()
        self._answers[4 * answer + 3] = outcome << 32 | self._names.error(error)

    def _poll(
        self, topic: str, partition: int, offsets: list[int], checks: list[int], at: int | None
    ) -> None:
        part = self._names.part(topic, partition)
        self._offsets.extend(offsets)
        self._checks.extend(checks)
        self.thread, epoch = get_ident(), self._epochs.get(part, 0)
        self._polls.extend((at or time_ns(), part << 32 | epoch, len(offsets)))

    def _read(self, record: Any) -> None:
        """Note one record of kafka-python's iterator: as few calls as can be."""
        key = record[6]
        try:
            check = crc32(record[7], SEED if key is None else crc32(key, SEED) ^ SALT)
        except TypeError:
            check = checksum(key, record[7])
        topic, partition = record[0], record[1]
        if partition != self._at[1] or topic != self._at[0]:
            part = self._names.part(topic, partition)
            self.thread = get_ident()
            self._at = topic, partition, part << 32 | self._epochs.get(part, 0)
        self._offsets.append(record[3])
        self._checks.append(check)
        self._polls.extend((time_ns(), self._at[2], 1))

    def _own(
        self, what: int, parts: Iterable[tuple[str, int]], number: int, at: int | None
    ) -> None:
        for topic, partition in parts:
            part = self._names.part(topic, partition)
            self._epochs[part] = self._epochs.get(part, 0) + 1
            self._at = "", -1, 0
            self._event(what, OK, part, number, None, at, at)

    def _stray(self, code: int, outcome: int, offset: int, error: Any) -> None:
        """Note what became of one record whose answer will not come for its batch as a whole."""
        self._strays.setdefault(code, (outcome, offset, self._names.error(error), time_ns()))

    def _transaction(
        self, number: int, outcome: int, error: Any = None, begun: int | None = None
    ) -> None:
        self._event(TXN, outcome, -1, number, error, begun, None)

    def _event(
        self,
        what: int,
        outcome: int,
        part: int,
        number: int,
        error: Any,
        begun: int | None,
        ended: int | None,
    ) -> None:
        now = ended or time_ns()
        code = self._names.error(error)
        self._events.extend((begun or now, now, what, outcome, part, number, code))


def _raw(data: Any) -> Any:
    """Return the bytes that confluent-kafka makes of a string."""
    return data.encode() if isinstance(data, str) else data
