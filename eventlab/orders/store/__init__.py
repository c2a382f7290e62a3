"""Where the shop keeps what its events did: SQLite in a file, or PostgreSQL, with one meaning."""

from eventlab.orders.store.database import Store

__all__ = ["Store"]
