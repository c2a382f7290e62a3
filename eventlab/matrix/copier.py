"""A copy of a topic in transactions, run as a process of its own: consume, produce, commit both.

python -m eventlab.matrix.copier '{"servers": ..., "topic": ..., "to": ..., "group": ..., ...}'
"""

from __future__ import annotations

from pathlib import Path
from time import time_ns
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata

from eventlab.history import consumers
from eventlab.history.tables import OK, PENDING
from eventlab.matrix.inside import Parent, Script, task
from eventlab.matrix.journal import Journal

_BATCH = 20


def main() -> None:
    """Copy until the parent says "end"."""
    told, parent = task(), Parent()
    consumer = KafkaConsumer(
        told["topic"],
        bootstrap_servers=told["servers"],
        group_id=told["group"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_poll_records=_BATCH,
        session_timeout_ms=3000,
        heartbeat_interval_ms=500,
    )
    path, name = Path(told["journal"]), told["name"]
    heard = Journal(path, name, told["group"], **consumers.settings(consumer))
    consumers.record(consumer, heard)
    producer = KafkaProducer(bootstrap_servers=told["servers"], transactional_id=told["group"])
    journal = Journal(path.with_suffix(".sent.jsonl"), f"{name} copies", enable_idempotence=True)
    copier = Copier(told["to"], consumer, producer, journal)
    happens = Script(parent, told.get("then", ""), told.get("after", 0))
    with consumer, producer:
        producer.init_transactions()
        while not parent.ends:
            copier.copy(happens)


class Copier:
    """Copies a poll in a transaction."""

    def __init__(self, to: str, consumer: Any, producer: Any, journal: Journal) -> None:
        self._to, self._consumer, self._producer, self._journal = to, consumer, producer, journal
        self._number = 0

    def copy(self, happens: Script) -> None:
        """Copy what a poll returns, and where it ends; `happens` comes just before the commit."""
        polled = self._consumer.poll(timeout_ms=200)
        if not polled:
            return
        self._producer.begin_transaction()
        self._journal._transaction(self._number, PENDING)
        self._send([record for records in polled.values() for record in records])
        ends = {part: self._end(records) for part, records in polled.items()}
        self._producer.send_offsets_to_transaction(ends, self._consumer.group_metadata())
        happens()
        begun = time_ns()
        self._producer.commit_transaction()
        self._journal._transaction(self._number, OK, begun=begun)
        self._number += 1

    def _send(self, records: list[Any]) -> None:
        sent = []
        for record in records:
            send = self._journal.sent(self._to, record.key, record.value)
            sent.append((send, self._producer.send(self._to, key=record.key, value=record.value)))
        for send, future in sent:
            told = future.get(timeout=60)
            self._journal.acked(send, told.partition, told.offset)

    def _end(self, records: list[Any]) -> OffsetAndMetadata:
        return OffsetAndMetadata(records[-1].offset + 1, "", -1)


if __name__ == "__main__":
    main()
