"""Whose fault an error of SQL is: the database's, the store's, or that of the statement.

    with told(engine):
        db.execute(...)               # StoreAway, StoreMismatch, or the error as it was

A database that is away, locked, full or read-only may do tomorrow what it refuses today; so who
meets StoreAway waits. A statement that is wrong, or values that cannot be, are wrong tomorrow too.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from eventlab.errors import shown
from eventlab.orders.store.errors import StoreAway, StoreMismatch
from eventlab.orders.store.schema import METADATA

# https://sqlite.org/rescode.html; a wrong statement is SQLITE_ERROR, which is not among them.
_AWAY = {
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY),
    *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL),
}
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# Classes of https://www.postgresql.org/docs/current/errcodes-appendix.html: connection, rollback
# (deadlock), resources, intervention (shutdown, timeout), system; read-only, lock not available.
_STATES = ("08", "40", "53", "57", "58", "25006", "55P03")


@contextlib.contextmanager
def told(engine: Engine) -> Iterator[None]:
    """Tell what is wrong with the database, or with its tables; other errors are the caller's."""
    try:
        yield
    except DBAPIError as error:
        if _is_away(error):
            raise _away(engine, error) from error
        if _code(error) in _BROKEN:
            raise mismatch(engine, f"It says: {_said(error)}") from error
        if isinstance(error, OperationalError | ProgrammingError) and (gone := _gone(engine)):
            raise mismatch(engine, f"It misses tables: {', '.join(gone)}") from error
        raise


def missing(db: Connection) -> list[str]:
    """Return the names of the tables that a store has and this database has not."""
    return sorted(METADATA.tables.keys() - set(inspect(db).get_table_names()))


def mismatch(engine: Engine, seen: str) -> StoreMismatch:
    """Return that a database is not a store of this version of the shop."""
    return StoreMismatch(
        f"The database {address(engine)} is not a store of this shop.",
        f"{seen}.",
        "Use another file or database; it can be filled from the topic again.",
    )


def address(engine: Engine) -> str:
    """Return the URL of a database without its password."""
    return engine.url.render_as_string(hide_password=True)


def _is_away(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    if isinstance(error.orig, sqlite3.Error):
        return _code(error) in _AWAY
    state = getattr(error.orig, "sqlstate", None)  # None: no server has answered
    return state.startswith(_STATES) if state else isinstance(error, OperationalError)


def _code(error: DBAPIError) -> int:
    """Return the primary result code of SQLite, 0 for an error of Python's module or of others."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF


def _gone(engine: Engine) -> list[str]:
    with contextlib.suppress(DBAPIError), engine.execution_options(reads=True).connect() as db:
        return missing(db)
    return []


def _away(engine: Engine, error: DBAPIError) -> StoreAway:
    return StoreAway(
        f"The database {address(engine)} does not answer.",
        f"It says: {_said(error)}.",
        "Is it running, is it writable, does somebody hold a lock? Try again when that is mended.",
    )


def _said(error: DBAPIError) -> str:
    first = str(error.orig).strip().splitlines()[0]
    return shown(first.rpartition(" failed: ")[2])  # without where: that is said already
