"""Whose turn it is: what one process alone may do with a store at a time.

    turn = Turn(store, "relay")
    if turn.take():                               # at once; False while somebody else has it
        with turn.transaction() as db:
            ...
    turn.give_up()

In PostgreSQL it is an advisory lock of a session, and the transactions are of this session: who
loses one loses the other. SQLite has no such lock, and one that was written into a table would
outlive who wrote it; there it is a lock of the operating system on a file beside the database.
Either ends with the process that holds it, however that ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

from filelock import FileLock, Timeout
from sqlalchemy import Connection, func, select

from eventlab.orders.store.database import Store
from eventlab.orders.store.errors import StoreAway
from eventlab.orders.store.told import told


class Turn:
    """The right to do what `name` says on this store, which one process has at a time."""

    def __init__(self, store: Store, name: str) -> None:
        self.held = False
        self._store, self._name = store, name
        self._db: Connection | None = None
        path = store._engine.url.database if store._engine.dialect.name == "sqlite" else None
        self._file = FileLock(f"{path}.{name}.lock", thread_local=False) if path else None

    def take(self) -> bool:
        """Say whether it is our turn; StoreAway when nobody can tell."""
        if not self.held and self._file is not None:
            self.held = _locked(self._file)
        elif not self.held:
            with self._kept() as db:
                self.held = self._locked(db)
        return self.held

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give the connection whose turn it is, in a transaction.

        StoreAway ends the turn in PostgreSQL: it was that of the session.
        """
        if self._file is not None:  # any connection will do, as long as it is to this file
            with self._store.transaction() as db:
                yield db
            return
        with self._kept() as db, db.begin():
            yield db

    def give_up(self) -> None:
        """Let others have their turn."""
        self.held, db, self._db = False, self._db, None
        if db is not None:
            db.close()
        if self._file is not None:
            self._file.release(force=True)

    @contextmanager
    def _kept(self) -> Iterator[Connection]:
        try:
            with told(self._store._engine):
                if self._db is None:
                    self._db = self._store._engine.connect()
                    self._db.detach()  # a connection that goes back to the pool keeps its locks
                yield self._db
        except StoreAway:
            self.give_up()
            raise

    def _locked(self, db: Connection) -> bool:
        number = crc32(self._name.encode()) - (1 << 31)
        schema = func.hashtext(func.current_schema())  # each schema may be a store of its own
        with db.begin():
            return bool(db.scalar(select(func.pg_try_advisory_lock(number, schema))))


def _locked(file: FileLock) -> bool:
    try:
        file.acquire(blocking=False)
    except Timeout:
        return False
    return True
