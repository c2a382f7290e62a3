"""`Cluster.connect`: the lessons' cluster object, on brokers that somebody else runs."""

from __future__ import annotations

import pytest
from kafka import KafkaConsumer, KafkaProducer

from eventlab import Cluster, faults, history, observe
from eventlab.errors import FaultRefused, InvalidSetting, NotOurs, NotSupported, UnknownNode
from tests.unit.refusals import refused

PREFIX = "shared-"


@pytest.fixture
def theirs(cluster):
    """Return the running cluster as one that others run."""
    theirs = Cluster.connect(cluster.bootstrap_servers, prefix=PREFIX)
    yield theirs
    theirs.stop()


def test_it_is_a_cluster_as_any_other(cluster, theirs):
    """Topics, clients, observation and the judge work on it, under the prefix."""
    assert (theirs.backend, theirs.can) == ("external", frozenset())
    assert list(theirs.brokers) == list(cluster.brokers)
    name = theirs.create_topic("any", partitions=1)
    assert name == theirs.name_of("any") == f"{PREFIX}any"
    run = history.record("external", theirs)
    with KafkaProducer(**theirs.client_config) as producer:
        run.producer(producer).send(name, b"1").get(timeout=10)
    group = theirs.name_of("readers")
    consumer = KafkaConsumer(
        name, group_id=group, auto_offset_reset="earliest", **theirs.client_config
    )
    with consumer:
        assert next(consumer).value == b"1"
    assert list(observe.lag(theirs, group)["lag"]) == [0]
    assert run.verify().outcome == "valid"
    theirs.delete_topic("any")
    assert "3 of 3 nodes running" in repr(theirs)


def test_what_it_did_not_make_is_not_deleted(cluster, theirs):
    """Also when it carries the prefix; on the cluster it stays as it was."""
    name = cluster.create_topic(f"{PREFIX}kept", partitions=1)
    for delete in (theirs.delete_topic, lambda name: theirs.create_topic(name, 1, fresh=True)):
        with refused(NotOurs, name):
            delete(name)
    assert name in list(cluster.topics()["topic"])
    cluster.delete_topic(name)


def test_nothing_of_it_is_broken(cluster, theirs):
    """Faults and verbs are refused; logs, files and controllers are not ours to see."""
    for harm in (
        lambda: faults.broker_killed(theirs, 1),
        lambda: faults.broker_isolated(theirs, 1),
        lambda: faults.rolling_restart(theirs),
        lambda: faults.storm(theirs),
    ):
        with refused(FaultRefused, theirs.bootstrap_servers):
            harm()
    for verb in ("stop", "kill", "freeze", "thaw", "start", "restart"):
        with refused(FaultRefused, "external"):
            getattr(theirs.brokers[1], verb)()
    for look in (theirs.brokers[1].log, lambda: theirs.brokers[1].read("/etc/passwd")):
        with refused(NotSupported, theirs.brokers[1].address):
            look()
    with refused(UnknownNode, "observe.quorum"):
        _ = theirs.controller
    assert {node["state"] for node in cluster.status()["nodes"]} == {"running"}


def test_the_environment_tells_where_it_is(cluster, monkeypatch):
    """Lessons call Cluster.start(), and meet the cluster that the environment names."""
    monkeypatch.setenv("EVENTLAB_BACKEND", "external")
    with refused(InvalidSetting, "EVENTLAB_SERVERS", "Cluster.connect"):
        Cluster.start()
    monkeypatch.setenv("EVENTLAB_SERVERS", cluster.bootstrap_servers)
    with Cluster.start() as theirs:
        assert theirs.backend == "external"
        assert theirs.bootstrap_servers == cluster.bootstrap_servers
    assert "not connected" in repr(theirs)
    assert cluster.brokers[1].state == "running"
