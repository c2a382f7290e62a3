"""docker-compose.yaml in an engine: a cluster that breaks as it says, and leaves nothing."""

from __future__ import annotations

import json
import os

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from eventlab.cluster.clients import connected
from tests.conftest import PREFIX
from tests.containers.project import BROKERS, FILE, Project, docker
from tests.live.clients import produce, read_all

RETRY = {"max_block_ms": 20_000, "delivery_timeout_ms": 40_000, "request_timeout_ms": 5_000}


def inspected(project: Project) -> list[dict]:
    names = [*map(project.container, BROKERS), f"{project.name}-controller-1"]
    return json.loads(docker("inspect", *names))


def test_the_file_is_valid_with_every_profile(engine, monkeypatch):
    """Without a profile it is the cluster alone, and asks for no password."""
    monkeypatch.setenv("EVENTLAB_POSTGRES_PASSWORD", "")
    config = ("compose", "-f", str(FILE), "config", "--services")
    alone = docker(*config).split()
    assert sorted(alone) == ["broker-1", "broker-2", "broker-3", "controller"]
    every = docker("compose", "-f", str(FILE), "--profile", "*", "config", "--services").split()
    assert {"ui", "jupyter", "postgres", "api", "relay", "subscriber"} == {*every} - {*alone}


def test_a_password_is_asked_for(project, monkeypatch):
    """The order system does not start without EVENTLAB_POSTGRES_PASSWORD, which is named."""
    monkeypatch.delenv("EVENTLAB_POSTGRES_PASSWORD", raising=False)
    monkeypatch.setenv("POSTGRES_IMAGE", os.environ["KAFKA_IMAGE"])
    other = Project(f"{PREFIX}-password")
    try:
        with pytest.raises(AssertionError, match="EVENTLAB_POSTGRES_PASSWORD"):
            other.compose("up", "--detach", "--pull", "never", "postgres")
    finally:
        other.compose("--profile", "orders", "down", "--volumes")
    assert other.leftovers() == []


def test_ports_are_open_on_this_machine_only(project):
    """One a broker, on 127.0.0.1; the controller has none."""
    bound = [node["HostConfig"]["PortBindings"] or {} for node in inspected(project)]
    ports = [one["HostIp"] + ":" + one["HostPort"] for b in bound for p in b.values() for one in p]
    assert sorted(ports) == [f"127.0.0.1:{port}" for port in sorted(project.ports)]


def test_nodes_may_do_little(project):
    """No root, no capability, no new privilege, and no restart behind a lesson's back."""
    for node in inspected(project):
        host = node["HostConfig"]
        assert node["Config"]["User"] == "1000:1000"
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert host["RestartPolicy"]["Name"] == "no"
        assert docker("exec", node["Name"].lstrip("/"), "id", "-u") == "1000"


def test_what_is_acknowledged_can_be_read(project):
    """kafka-python on the host, replication factor 3."""
    project.create_topic("plain")
    assert project.isr("plain") == {*BROKERS}
    produce(project, "plain", 100)
    assert read_all(project, "plain") == [*range(100)]


def test_a_container_beside_it_is_a_client(project):
    """By the names of `front`, which the brokers advertise there."""
    told = docker("exec", project.container(1), "nslookup", "broker-2.front")
    assert "Address" in told


def test_a_killed_leader_is_replaced_and_too_few_in_sync_refuse(project):
    """With min.insync.replicas=2 one broker may be dead, two may not, and nothing is lost."""
    project.create_topic("killed", **{"min.insync.replicas": "2"})
    produce(project, "killed", 10)
    old = project.leader("killed")
    project.compose("kill", f"broker-{old}")
    new = project.new_leader("killed", old)
    produce(project, "killed", 10, start=10, **RETRY)
    project.compose("kill", f"broker-{new}")
    refused = {"delivery_timeout_ms": 3000, "request_timeout_ms": 2000, "max_block_ms": 10_000}
    with pytest.raises(KafkaError):
        produce(project, "killed", 1, start=1000, **refused)
    project.compose("start", f"broker-{old}", f"broker-{new}")
    project.wait_for_isr("killed", {*BROKERS})
    assert {*range(20)} <= {*read_all(project, "killed")}


def test_a_paused_leader_is_replaced_and_catches_up(project):
    """It still holds its connections, so only its silence tells."""
    project.create_topic("paused")
    old = project.leader("paused")
    project.compose("pause", f"broker-{old}")
    try:
        project.new_leader("paused", old)
        produce(project.without(old), "paused", 10, **RETRY)
    finally:
        project.compose("unpause", f"broker-{old}")
    project.wait_for_isr("paused", {*BROKERS})
    assert read_all(project, "paused") == [*range(10)]


def test_a_leader_without_back_takes_writes_that_are_lost(project):
    """A true partition: its clients do not notice, and what they were told with acks=1 is gone."""
    project.create_topic("isolated")
    produce(project, "isolated", 1)
    old = project.leader("isolated")
    config = {"acks": 1, "enable_idempotence": False, "retries": 0}
    address = f"127.0.0.1:{project.ports[old - 1]}"
    with connected(KafkaProducer, bootstrap_servers=address, **config) as producer:
        assert producer.partitions_for("isolated") == {0}
        project.disconnect(old, "back")
        try:
            new = project.new_leader("isolated", old)
            for number in range(1, 51):
                producer.send("isolated", b"%d" % number).get(10)
        finally:
            project.connect(old, "back")
        project.wait_for_isr("isolated", {*BROKERS}, leader=new)
    assert read_all(project, "isolated") == [0]


def test_a_broker_without_front_has_no_clients_but_stays_in_sync(project):
    """The other way round: the cluster does not notice."""
    project.create_topic("cut")
    leader = project.leader("cut")
    address = f"127.0.0.1:{project.ports[leader - 1]}"
    project.disconnect(leader, "front")
    try:
        with project.deaf_to_the_host(leader), pytest.raises(KafkaTimeoutError):
            connected(KafkaConsumer, bootstrap_servers=address, bootstrap_timeout_ms=3000)
        assert project.isr("cut") == {*BROKERS}
        assert project.leader("cut") == leader
    finally:
        project.connect(leader, "front")
    produce(address, "cut", 5, **RETRY)
    assert read_all(project, "cut") == [*range(5)]


def test_data_outlives_its_containers(project):
    """`down` and `up` find it in the named volumes."""
    project.create_topic("kept")
    produce(project, "kept", 10)
    project.compose("down")
    assert docker("ps", "--quiet", "--filter", f"name={project.name}-") == ""
    project.up()
    assert read_all(project, "kept") == [*range(10)]


def test_two_projects_stand_side_by_side_and_leave_nothing(project):
    """No name, port or address is fixed, and `down --volumes` takes all of it away."""
    other = Project(f"{PREFIX}-second")
    try:
        other.up("controller", "broker-1")
        other.create_topic("alone", replicas=1)
        produce(other.bootstrap_servers.split(",")[0], "alone", 3)
        with connected(KafkaConsumer, bootstrap_servers=project.bootstrap_servers) as consumer:
            assert "alone" not in consumer.topics()
    finally:
        other.compose("down", "--volumes")
    assert other.leftovers() == []
