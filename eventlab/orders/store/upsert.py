"""INSERT with ON CONFLICT: SQLite and PostgreSQL have it, SQLAlchemy has it for each of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def insert(db: Connection, table: Table) -> Any:
    """Return an INSERT into a table that knows ON CONFLICT, in the words of this database."""
    return _INSERT[db.dialect.name](table)
