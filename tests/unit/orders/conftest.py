"""The bundled orders, read once for all tests: reading 10,000 of them takes a moment."""

from __future__ import annotations

import pytest

from eventlab.orders import read_orders


@pytest.fixture(scope="session")
def bundled_orders():
    return tuple(read_orders())
