"""A small subscriber with a SQL effect, run as a process of its own: the one that is killed.

    python -m eventlab.matrix.subscriber '{"servers": ..., "topic": ..., "group": ..., ...}'

It polls, handles each record in a SQL transaction, and commits: "after" that, "before" it, or
"auto" (kafka-python's own). A record whose handler raises is tried again, and then put aside.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from eventlab.cluster.clients import give_out_again
from eventlab.history import consumers
from eventlab.matrix.inside import Parent, Script, task
from eventlab.matrix.journal import Journal
from eventlab.matrix.store import Store

POISON = b"poison"  # values that begin so
TRIES = 3


def main() -> None:
    """Subscribe until the parent says "end"."""
    told, parent = task(), Parent()
    consumer = KafkaConsumer(
        bootstrap_servers=told["servers"],
        group_id=told["group"],
        client_id=told["name"],
        auto_offset_reset="earliest",
        enable_auto_commit=told["commit"] == "auto",
        session_timeout_ms=3000,
        heartbeat_interval_ms=500,
        **told.get("consumer", {}),
    )
    settings = consumers.settings(consumer)
    path = Path(told["journal"])
    consumers.record(consumer, Journal(path, told["name"], told["group"], **settings))
    consumer.subscribe([told["topic"]])
    subscriber = Subscriber(told, parent, consumer)
    try:
        subscriber.run()
    finally:
        consumer.close()


class Subscriber:
    """Polls, handles, commits."""

    def __init__(self, told: dict[str, Any], parent: Parent, consumer: Any) -> None:
        self._consumer, self._parent, self._commits = consumer, parent, told["commit"]
        self._store = Store(Path(told["store"]))
        self._happens = Script(parent, told.get("then", ""), told.get("after", 0))
        self._handler = Handler(self._store, told)

    def run(self) -> None:
        """Do so until the parent says "end"."""
        while not self._parent.ends:
            give_out_again(self._consumer)
            polled = self._consumer.poll(timeout_ms=200)
            records = [record for some in polled.values() for record in some]
            if records and self._commits == "before":
                self._commit()
            for record in records:
                self._handle(record)
                self._happens()
            if records and self._commits == "after":
                self._commit()

    def _handle(self, record: Any) -> None:
        """Handle a record; while the database is away, stay in the group and take no more."""
        while True:
            try:
                self._handler(record)
                return
            except sqlite3.OperationalError:  # locked
                self._consumer.pause(*self._consumer.assignment())
                self._consumer.poll(timeout_ms=200)  # for the group: what is paused gives nothing
                self._consumer.resume(*self._consumer.paused())

    def _commit(self) -> None:
        # Refused: others have the partitions now, and read them from the last commit on.
        with contextlib.suppress(KafkaError):
            self._consumer.commit()


class Handler:
    """The effect of a record; what raises each time goes to the dead-letter topic."""

    def __init__(self, store: Store, told: dict[str, Any]) -> None:
        self._store, self._dead = store, told.get("dead", "")
        self._parks = told.get("parks", False)
        if self._dead:
            self._producer = KafkaProducer(bootstrap_servers=told["servers"], acks="all")
            path = Path(told["journal"]).with_suffix(".dead.jsonl")
            self._journal = Journal(path, f"{told['name']} dead letters", enable_idempotence=True)

    def __call__(self, record: Any) -> None:
        """Handle a record, or put it aside: when it is poison, or behind poison of its key."""
        if self._parks and self._store.is_parked(record.key):
            self._put_aside(record)
            return
        if not any(self._effect(record) for _ in range(TRIES)):
            self._put_aside(record)

    def _effect(self, record: Any) -> bool:
        """Try once; say whether it worked."""
        try:
            if record.value.startswith(POISON):
                raise ValueError("no handler can handle this")
            self._store.handle(record)
        except ValueError:
            return False
        return True

    def _put_aside(self, record: Any) -> None:
        """Publish it to the dead-letter topic, then note that it was: again rather than never."""
        send = self._journal.sent(self._dead, record.key, record.value)
        future = self._producer.send(self._dead, key=record.key, value=record.value)
        self._journal.acked(send, future.get(timeout=30).partition, future.value.offset)
        self._store.park(record)


if __name__ == "__main__":
    main()
