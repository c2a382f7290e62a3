"""Effects in SQL happen once, and not while the database is locked."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import pytest

from eventlab.matrix.store import Store


class Record(NamedTuple):
    """What a store wants to know of a record."""

    topic: str
    partition: int
    offset: int
    key: bytes


FIRST, SECOND = Record("orders", 0, 0, b"k1"), Record("orders", 0, 1, b"k1")


@pytest.fixture
def path(tmp_path):
    """Return the path of an empty store."""
    Store.create(tmp_path / "effects.db")
    return tmp_path / "effects.db"


def test_a_record_that_is_delivered_again_has_no_effect_again(path):
    """Its place is there once, and its key was counted once."""
    store = Store(path)
    for record in (FIRST, FIRST, SECOND):
        store.handle(record)
    assert store.places() == [("orders", 0, 0), ("orders", 0, 1)]
    assert store.count() == 2


def test_a_record_that_is_put_aside_stops_its_key_alone(path):
    """It has no effect, and is accounted for."""
    store = Store(path)
    store.park(FIRST)
    assert (store.count(), store.parked(), len(store.places())) == (0, 1, 1)
    assert store.is_parked(b"k1")
    assert not store.is_parked(b"k2")


def test_a_locked_store_refuses_others_and_lets_them_read(path):
    """A real lock of SQLite; nothing of what was refused is there afterwards."""
    one, other = Store(path), Store(path)
    one.lock()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.handle(FIRST)
    assert other.places() == []
    one.unlock()
    other.handle(FIRST)
    assert one.count() == 1
