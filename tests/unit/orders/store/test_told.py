"""What is the database's fault is waited out; what is the statement's is told as it is."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import DBAPIError

from eventlab.orders.inbox import Inbox
from eventlab.orders.store import Store
from eventlab.orders.store.errors import StoreAway, StoreMismatch
from eventlab.orders.store.schema import customers, orders, processed_events
from tests.unit.orders.inbox.arrivals import CUSTOMER, created, delivered
from tests.unit.refusals import refused

READ_ONLY = {
    "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
    "postgresql": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    ),
}


def name_of(store):
    return "sqlite" if store.url.startswith("sqlite") else "postgresql"


def execute(store, statement, **values):
    with store.transaction() as db:
        db.execute(text(statement), values)


def count(store, table):
    return int(store.read(select(func.count()).select_from(table)).iloc[0, 0])


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM nowhere", "SELECT nothing FROM orders", "SELEC 1", "INSERT INTO orders (x) "],
)
def test_a_statement_that_is_wrong_is_not_the_databases_fault(store, statement):
    """Waiting would not make it right; SQLite calls it an OperationalError all the same."""
    with pytest.raises(DBAPIError) as caught:
        execute(store, statement)
    assert not isinstance(caught.value, StoreAway | StoreMismatch)


def test_a_value_that_no_column_can_have_is_not_the_databases_fault(store):
    with pytest.raises(DBAPIError):
        execute(store, "SELECT :value", value=object())


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("state", "away"),
    [
        *((state, True) for state in ("08006", "40001", "40P01", "53100", "57014", "58030")),
        *((state, True) for state in ("25006", "55P03")),
        *((state, False) for state in ("22012", "25P02", "42P01", "42601", "P0001")),
    ],
)
def test_postgresql_says_whose_fault_it_is(store, state, away):
    """By its SQLSTATE, whatever class of exception the driver makes of it."""
    with pytest.raises(StoreAway if away else DBAPIError):
        execute(store, f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_disk_that_is_full_is_waited_for(store):
    """SQLITE_FULL; nothing of the batch is kept, and all of it is when there is room."""
    inbox = Inbox(store, "billing")
    story = delivered(CUSTOMER, *(created(f"O-{number}") for number in range(300)))
    execute(store, "PRAGMA max_page_count = 1")  # of which it has more already: no more, then
    with refused(StoreAway, "disk is full"):
        inbox.take(story)
    assert count(store, customers) == 0
    execute(store, "PRAGMA max_page_count = 100000")
    assert not inbox.take(story).dead


def test_a_database_that_is_read_only_is_waited_for(store):
    """Item 63, and what a server is that another one has taken over from."""
    on, off = READ_ONLY[name_of(store)]
    execute(store, on)
    with refused(StoreAway, "is it writable", "read"):
        Inbox(store, "billing").take(delivered(CUSTOMER))
    with store.reading() as db:
        db.execute(text(off))
    assert not Inbox(store, "billing").take(delivered(CUSTOMER)).dead
    assert count(store, customers) == 1


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_file_that_is_read_only_can_be_read(store, url):
    """Item 63: what would write into it waits."""
    Inbox(store, "billing").take(delivered(CUSTOMER))
    with Store(f"sqlite:///file:{url}?mode=ro&uri=true") as reader:
        assert count(reader, customers) == 1
        with refused(StoreAway, "readonly database"):
            Inbox(reader, "billing").take(delivered(created(), start=1))


@pytest.mark.parametrize("table", [orders, processed_events])
def test_a_table_that_is_missing_is_told_by_name(store, url, table):
    """Item 62: under a subscriber, and when it is opened again; no event is dead for it."""
    with store.transaction() as db:
        db.execute(text(f"DROP TABLE {table.name} {'CASCADE' * (name_of(store) != 'sqlite')}"))
    for handlers in ({}, {"handlers": {type(CUSTOMER): lambda _, db: db.execute(select(table))}}):
        with refused(StoreMismatch, f"It misses tables: {table.name}."):
            Inbox(store, "billing", **handlers).take(delivered(CUSTOMER, created()))
    with refused(StoreMismatch, f"It misses tables: {table.name}."):
        Store(url)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_file_that_is_deleted_under_a_store_is_missed(store, url, tmp_path):
    """Item 63: nothing is written where nobody finds it, and it goes on when the file is back."""
    inbox = Inbox(store, "billing")
    inbox.take(delivered(CUSTOMER))
    with contextlib.closing(sqlite3.connect(url)) as other, other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.move(url, tmp_path / "away.db")
    for _ in range(2):
        with refused(StoreAway, "unable to open database file"):
            inbox.take(delivered(created(), start=1))
    assert not Path(url).exists()
    shutil.copy(tmp_path / "away.db", url)
    assert not inbox.take(delivered(created(), start=1)).dead
    assert (count(store, customers), count(store, orders)) == (1, 1)
    with Store(url) as again:
        assert count(again, orders) == 1


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_database_that_is_dropped_under_a_store_is_missed(url):
    """Item 63: it is waited for; one of the same name without tables is told to be another."""
    address = f"{url.rpartition('/')[0]}/dropped"
    engine = create_engine(
        url.replace("postgresql", "postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as db:
        db.execute(text("CREATE DATABASE dropped"))
        with Store(address) as store:
            inbox = Inbox(store, "billing")
            inbox.take(delivered(CUSTOMER))
            db.execute(text("DROP DATABASE dropped WITH (FORCE)"))
            for _ in range(2):
                with refused(StoreAway, "does not exist"):
                    inbox.take(delivered(created(), start=1))
            db.execute(text("CREATE DATABASE dropped"))
            with refused(StoreMismatch, "It misses tables: ", "processed_events"):
                inbox.take(delivered(created(), start=1))
        db.execute(text("DROP DATABASE dropped WITH (FORCE)"))
    engine.dispose()
