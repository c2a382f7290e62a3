"""Each test of a store runs on SQLite and on PostgreSQL: what is promised holds on both."""

from __future__ import annotations

import os
import sys

import pytest
from sqlalchemy import create_engine, text

from eventlab.orders.store import Store
from tests import postgres


@pytest.fixture(scope="session")
def postgresql():
    """The address of a server that the tests of a session share."""
    if postgres.programs() is None:
        if os.environ.get("CI") and sys.platform == "linux":
            pytest.fail("CI installs PostgreSQL.")
        pytest.skip("no PostgreSQL server; apt install postgresql, or brew install postgresql@17")
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The address of a database that is empty."""
    if request.param == "sqlite":
        return str(tmp_path / "shop.db")
    server = request.getfixturevalue("postgresql")
    engine = create_engine(server.replace("postgresql", "postgresql+psycopg"))
    with engine.begin() as db:
        db.execute(text("DROP SCHEMA public CASCADE"))
        db.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return server


@pytest.fixture
def store(url):
    """An empty store."""
    with Store(url) as store:
        yield store
