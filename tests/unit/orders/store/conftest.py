"""Stores for the tests of stores."""

from tests.unit.orders.databases import postgresql, store, url  # noqa: F401 (fixtures)
