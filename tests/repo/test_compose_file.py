"""docker-compose.yaml and the embedded cluster are one cluster: its nodes, names and values."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import eventlab
from eventlab.cluster import properties
from eventlab.cluster.jars import VERSION
from eventlab.cluster.nodes import layout
from eventlab.cluster.settings import Settings

FILE = Path(eventlab.__file__).parent.parent / "docker-compose.yaml"
SERVICES = yaml.safe_load(FILE.read_text("utf-8"))["services"]
NODES = {f"broker-{n}": n for n in (1, 2, 3)} | {"controller": 100}
OF_A_CONTAINER = {  # addresses, and what Java is told
    "controller.quorum.voters",
    "listeners",
    "advertised.listeners",
    "listener.security.protocol.map",
    "log.dirs",
    "heap.opts",
    "jvm.performance.opts",
}


def environment(service: str) -> dict[str, str]:
    """Return the properties that Kafka's image makes of a service's KAFKA_... variables."""
    given = SERVICES[service]["environment"].items()
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in given
        if name.startswith("KAFKA_")
    }


def embedded(node_id: int) -> dict[str, str]:
    """Return the properties of a node of `Cluster.start()`."""
    settings = Settings().resolved()
    nodes = layout(settings)
    [node] = [node for node in nodes if node.node_id == node_id]
    text = properties.render(node, nodes, settings, "data")
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.mark.parametrize(("service", "node_id"), NODES.items())
def test_a_node_has_the_properties_of_the_lab_profile(service, node_id):
    """All but addresses: what is learnt on one backend holds on the other."""
    there, here = environment(service), embedded(node_id)
    assert {key: there.get(key) for key in here.keys() - OF_A_CONTAINER} == {
        key: here[key] for key in here.keys() - OF_A_CONTAINER
    }
    assert there.keys() - here.keys() <= OF_A_CONTAINER


@pytest.mark.parametrize("service", NODES)
def test_listeners_have_the_names_of_the_embedded_cluster(service):
    """And one more, NETWORK, for other containers."""
    there, here = environment(service), embedded(NODES[service])
    names = [at.split("://")[0] for at in there["listeners"].split(",")]
    told = [at.split("://")[0] for at in here["listeners"].split(",")]
    assert [name for name in names if name != "NETWORK"] == told
    advertised = [at.split("://")[0] for at in there["advertised.listeners"].split(",")]
    assert advertised == names


def test_kafka_is_the_version_of_the_jars():
    """The image that is pulled is the Kafka that lessons are tried with."""
    assert {SERVICES[name]["image"] for name in NODES} == {
        f"${{KAFKA_IMAGE:-apache/kafka:{VERSION}}}"
    }


def test_every_port_is_of_this_machine_only():
    """What is published anywhere, with any profile."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_every_service_is_confined():
    """No capability, no new privilege, no restart, and an image that is pinned."""
    for service in SERVICES.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"] == "no"
        assert "latest" not in service["image"]


def test_no_password_is_in_the_file():
    """What is secret comes from the environment, without a default."""
    text = FILE.read_text("utf-8")
    secret = [line.strip() for line in text.splitlines() if "PASSWORD" in line or "TOKEN" in line]
    assert secret == [
        "PGPASSWORD: ${EVENTLAB_POSTGRES_PASSWORD:-} "
        "# libpq reads it, so it is in no address and no log",
        "JUPYTER_TOKEN: ${JUPYTER_TOKEN:-}",
        "POSTGRES_PASSWORD_FILE: /run/secrets/postgres-password",
        "postgres-password: {environment: EVENTLAB_POSTGRES_PASSWORD}",
    ]
