"""Handlers called one by one, each in a SAVEPOINT.

A handler that fails may have written half of what it wanted, and on PostgreSQL a statement that
fails spoils the transaction it is in. Going back to the savepoint undoes that event and no other.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from eventlab.orders.events import Event
from eventlab.orders.handlers import handle
from eventlab.orders.store.told import told


class OneByOne:
    """Does what a registry of handlers says, within a transaction."""

    def __init__(self, handlers: Mapping[type[Event], Any], db: Connection, run: Any) -> None:
        self._handlers, self._db, self._run = handlers, db, run

    def apply(self, event: Event) -> None:
        """Let the handler of its type do what an event does, all of it or nothing.

        StoreAway when the database is at fault; what else it raises is the handler's.
        """
        with told(self._db.engine), self._db.begin_nested():
            result = handle(event, self._db, self._handlers)
            if inspect.isawaitable(result):
                self._run(result)

    def write(self) -> None:
        """Do nothing: all is written."""
