"""Stores for the tests of the outbox."""

from tests.unit.orders.databases import postgresql, store, url  # noqa: F401 (fixtures)
