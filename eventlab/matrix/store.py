"""The SQL side of a subscriber: effects that happen once, however often a record is delivered.

sqlite3 of the standard library, one file for all members of a group. The offset of a record and
its effect are one transaction; a record that is there already has no effect again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE handled (topic TEXT, part INTEGER, at INTEGER, PRIMARY KEY (topic, part, at));
CREATE TABLE parked (key TEXT, topic TEXT, part INTEGER, at INTEGER,
    PRIMARY KEY (topic, part, at));
CREATE TABLE totals (key TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""
_ONCE = "INSERT OR IGNORE INTO handled VALUES (?, ?, ?)"
_PARK = "INSERT OR IGNORE INTO parked VALUES (?, ?, ?, ?)"
_ADD = "INSERT INTO totals VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET count = count + 1"
_WAITS = 0.2  # seconds for a lock; who waits longer in SQL is not polling


class Store:
    """The tables of one group. Any call raises sqlite3.OperationalError while they are locked."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=_WAITS, isolation_level=None)
        self._db.execute("PRAGMA synchronous = OFF")  # a killed process loses nothing by it

    @staticmethod
    def create(path: Path) -> None:
        """Make the tables; readers do not wait for writers (WAL)."""
        db = sqlite3.connect(path)
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(_SCHEMA)
        db.close()

    def handle(self, record: Any) -> None:
        """Count a record of a key, once."""
        place, key = (record.topic, record.partition, record.offset), record.key.decode()
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if self._db.execute(_ONCE, place).rowcount:
                self._db.execute(_ADD, (key,))

    def park(self, record: Any) -> None:
        """Note that a record was put aside."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            place = record.topic, record.partition, record.offset
            self._db.execute(_PARK, (record.key.decode(), *place))

    def is_parked(self, key: bytes) -> bool:
        """Say whether a record of this key was put aside."""
        asked = "SELECT 1 FROM parked WHERE key = ?"
        return self._db.execute(asked, (key.decode(),)).fetchone() is not None

    def places(self) -> list[tuple[str, int, int]]:
        """Return topic, partition and offset of each record that was handled or put aside."""
        told = "SELECT topic, part, at FROM handled UNION ALL SELECT topic, part, at FROM parked"
        return self._db.execute(told).fetchall()

    def parked(self) -> int:
        """Return how many records were put aside."""
        (count,) = self._db.execute("SELECT COUNT(*) FROM parked").fetchone()
        return int(count)

    def count(self) -> int:
        """Return how many effects there were, by what they did."""
        (count,) = self._db.execute("SELECT COALESCE(SUM(count), 0) FROM totals").fetchone()
        return int(count)

    def lock(self) -> None:
        """Keep every other writer out until `unlock`."""
        self._db.execute("BEGIN EXCLUSIVE")

    def unlock(self) -> None:
        """Let others write again."""
        self._db.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file."""
        self._db.close()
