"""A Docker engine that goes away while a cluster runs, and comes back."""

from __future__ import annotations

import pytest

from eventlab import Cluster
from eventlab.cli import main
from eventlab.cluster import launch, registry
from eventlab.errors import EngineAway
from eventlab.waiting import wait_until
from tests.conftest import PREFIX, nothing_left
from tests.containers.leftovers import leftovers
from tests.containers.relay import Relay
from tests.unit.refusals import refused

NAME = f"{PREFIX}-away"


@pytest.fixture
def relay(kafka_image, tmp_path, monkeypatch):
    with Relay(tmp_path / "docker.sock") as relay:
        monkeypatch.setenv("DOCKER_HOST", relay.address)
        yield relay
    monkeypatch.undo()
    launch.end(NAME)
    assert leftovers(NAME) == []


def states(cluster):
    return {node["state"] for node in cluster.status()["nodes"]}


def test_it_goes_and_comes_back(relay):
    """Nobody knows then what the nodes do, which is said; and all goes on when it is back."""
    with Cluster(NAME, backend="testcontainers") as cluster:
        relay.close()
        wait_until(lambda: states(cluster) == {"unknown"}, 30, "The engine is not missed.")
        for verb in (cluster.brokers[1].kill, cluster.brokers[1].log, cluster.brokers[1].start):
            with refused(EngineAway, "docker.sock", within=10):
                verb()
        relay.open()
        wait_until(lambda: states(cluster) == {"running"}, 30, "The engine is not seen again.")
        assert cluster.brokers[1].kill().state == "killed"
        assert cluster.brokers[1].start().state == "running"
    assert nothing_left(NAME)


def test_it_is_away_when_the_cluster_ends(relay):
    """What could not be removed is removed when it can be, at the next start of this name."""
    with Cluster(NAME, backend="testcontainers") as cluster:
        relay.close()
        wait_until(lambda: states(cluster) == {"unknown"}, 30, "The engine is not missed.")
    assert registry.running(NAME) is None
    with Cluster(NAME, profile="small") as cluster:  # one that needs no engine starts all the same
        assert states(cluster) == {"running"}
    relay.open()
    assert leftovers(NAME) != []
    with Cluster(NAME, backend="testcontainers") as cluster:
        assert states(cluster) == {"running"}


def test_down_removes_what_stayed(relay):
    """`eventlab down` knows of it from the folder, which is kept for this."""
    with Cluster(NAME, backend="testcontainers") as cluster:
        relay.close()
        wait_until(lambda: states(cluster) == {"unknown"}, 30, "The engine is not missed.")
    assert main(["down", "--name", NAME]) == 0
    assert registry.names().count(NAME) == 1
    relay.open()
    assert leftovers(NAME) != []
    assert main(["down", "--name", NAME]) == 0
    assert leftovers(NAME) == []
    assert nothing_left(NAME)
