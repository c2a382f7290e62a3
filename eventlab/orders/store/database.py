"""A store: one SQL database with the tables of the shop, SQLite or PostgreSQL.

    store = Store("shop.db")                                   # or postgresql://user@host/shop
    with store.transaction() as db:                            # all of it, or nothing
        db.execute(orders.insert(), row)
    store.read(select(orders))                                 # a DataFrame

A transaction of SQLite is IMMEDIATE: it waits for its turn when it begins, and does not fail in
its middle, as one does that read first and wants to write then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from sqlalchemy import Connection, Engine, Executable, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from eventlab.errors import InvalidSetting, shown
from eventlab.orders.store import file
from eventlab.orders.store.errors import StoreAway
from eventlab.orders.store.schema import METADATA, VERSION, schema_version
from eventlab.orders.store.told import address, mismatch, missing, told

if TYPE_CHECKING:
    import pandas as pd

PATIENCE = 5.0  # seconds that a locked or silent database is waited for
_POSTGRESQL = "postgresql+psycopg"
_READS: dict[str, dict[str, Any]] = {  # PostgreSQL by itself takes a new moment for each query
    "sqlite": {"reads": True},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}


class Store:
    """The database at `url`: a file of SQLite, or postgresql://user:password@host/name.

    Its tables are made when there are none. StoreAway when the database cannot be reached or
    written, or is locked for 5 s; StoreMismatch when its tables are not these, or not all of them,
    or of another version. An error that is the fault of a statement is SQLAlchemy's.
    """

    def __init__(self, url: str | Path) -> None:
        self._engine = _engine(url)
        self.url = address(self._engine)
        with self.transaction() as db:
            _make_tables(db)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection whose work is kept when the block ends, and undone when it raises."""
        with told(self._engine), self._engine.begin() as db:
            yield db

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that only reads, all of it at one moment; it waits for no writer."""
        reads = self._engine.execution_options(**_READS[self._engine.name])
        with told(self._engine), reads.begin() as db:
            yield db

    def read(self, query: Executable) -> pd.DataFrame:
        """Return what a query gives, a column for each of its columns."""
        import pandas as pd

        with self.reading() as db:
            result = db.execute(query)
            return pd.DataFrame(result.all(), columns=list(result.keys()))

    def answers(self) -> bool:
        """Say whether the database answers now, or as soon as a lock is given back."""
        try:
            with self.reading() as db:
                return bool(db.scalar(select(1)))
        except StoreAway:
            return False

    def close(self) -> None:
        """Close all connections; a store that is used again opens new ones."""
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Store {self.url}>"


def _engine(url: str | Path) -> Engine:
    text = str(url)
    if "://" not in text:
        text = f"sqlite:///{text}"
    if text.startswith("postgresql://"):
        text = text.replace("postgresql", _POSTGRESQL, 1)
    try:
        return _sqlite(text) if text.startswith("sqlite:") else _postgresql(text)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
        raise InvalidSetting(
            "This is no database that the shop can use.",
            f"You gave {shown(str(url).rpartition('@')[2])}.",  # before it may be a password
            "Use a file such as 'shop.db', or postgresql://user@host/shop (eventlab[postgres]).",
        ) from None


def _postgresql(text: str) -> Engine:
    url = make_url(text)
    if url.drivername != _POSTGRESQL:
        raise ArgumentError(text)
    options = f"-c lock_timeout={PATIENCE:.0f}s -c statement_timeout={6 * PATIENCE:.0f}s"
    return create_engine(
        url,
        connect_args={"connect_timeout": int(PATIENCE), "options": options},
        pool_pre_ping=True,  # a connection that died meanwhile is replaced, not an error
    )


def _sqlite(text: str) -> Engine:
    # From Python 3.12 on sqlite3 has autocommit=; with 3.11 this says the same: BEGIN is ours.
    engine = create_engine(text, connect_args={"timeout": PATIENCE, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def _(connection: sqlite3.Connection, record: Any) -> None:
        file.write_ahead(connection, PATIENCE)  # readers do not wait for the writer
        connection.execute("PRAGMA synchronous = FULL")  # a commit outlives a power cut
        connection.execute("PRAGMA foreign_keys = ON")  # off unless asked for

    @event.listens_for(engine, "begin")
    def _(db: Connection) -> None:
        reads = db.get_execution_options().get("reads")
        db.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    path = engine.url.database
    if path and path != ":memory:" and not path.startswith("file:"):
        file.watch(engine, Path(path))
    return engine


def _make_tables(db: Connection) -> None:
    if db.dialect.name == "postgresql":  # who comes at the same time waits, and finds them there
        number = crc32(b"tables") - (1 << 31)
        schema = func.hashtext(func.current_schema())
        db.execute(select(func.pg_advisory_xact_lock(number, schema)))
    gone = missing(db)
    there = METADATA.tables.keys() - set(gone)
    if schema_version.name in there:
        version = db.scalar(select(schema_version.c.version))
        if version != VERSION:
            raise mismatch(db.engine, f"It is of version {version}; this is {VERSION}")
        if gone:
            raise mismatch(db.engine, f"It misses tables: {', '.join(gone)}")
        return
    if there:
        names = ", ".join(sorted(there))
        raise mismatch(db.engine, f"It has tables of the same names: {names}")
    METADATA.create_all(db)
    db.execute(schema_version.insert(), {"version": VERSION})
