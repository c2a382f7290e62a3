"""One cluster for all notebooks: they attach to it as a learner's notebooks do."""

from __future__ import annotations

import os

import pytest

from tests.notebooks.runs import eventlab, private_home


@pytest.fixture(scope="session")
def env():
    """Return the environment of a running cluster that this process holds."""
    with private_home() as env:
        eventlab(env, "up", "--owner", str(os.getpid()))
        yield env
