"""Stores for the tests of handlers."""

from tests.unit.orders.databases import postgresql, store, url  # noqa: F401 (fixtures)
