"""The file of a database of SQLite, watched: it may be deleted or replaced under an open store.

A connection that is open goes on writing into the file that nobody can find any more, and a new one
would make an empty file of the same name. Both would lose, without a word, what is written.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError


def watch(engine: Engine, path: Path) -> None:
    """Open a file that was replaced anew; refuse, as SQLite does, one that is gone."""
    once = f"{path.absolute().as_uri()}?mode=rw"
    made = False

    @event.listens_for(engine, "do_connect")
    def _(dialect: Any, record: Any, args: Any, options: dict[str, Any]) -> Any:
        return sqlite3.connect(once, uri=True, **options) if made else None

    @event.listens_for(engine, "connect")
    def _(connection: Any, record: Any) -> None:
        nonlocal made
        made, record.info["file"] = True, _identity(path)

    @event.listens_for(engine, "checkout")
    def _(connection: Any, record: Any, proxy: Any) -> None:
        if record.info["file"] != _identity(path):
            raise DisconnectionError("The file is another one, or gone.")


def write_ahead(connection: sqlite3.Connection, patience: float) -> None:
    """Let the file have a write-ahead log, which it keeps.

    Of several that make a new file at once SQLite lets one go on and refuses the others, without
    waiting as it does elsewhere: each would wait for the lock that the other one has.
    """
    until = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > until:
                raise
        connection.execute("BEGIN IMMEDIATE")  # this does wait, for the one that goes on
        connection.execute("ROLLBACK")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
