"""One three-broker cluster for all live tests; each test makes its own topics and groups."""

from __future__ import annotations

import re

import pytest

from eventlab import Cluster
from tests.conftest import PREFIX
from tests.unit.orders.databases import postgresql, store, url  # noqa: F401 (fixtures)


@pytest.fixture(scope="session")
def cluster():
    """Return a running cluster that belongs to this test run alone."""
    with Cluster(f"{PREFIX}-shared") as cluster:
        yield cluster


@pytest.fixture
def topic(cluster: Cluster, request: pytest.FixtureRequest):
    """Return a new topic of three partitions that carries the test's name."""
    topic = re.sub(r"[^A-Za-z0-9._-]", "-", request.node.name)
    cluster.create_topic(topic, partitions=3, fresh=True)
    yield topic
    cluster.delete_topic(topic)
