"""A cluster as a project of Docker Compose: what it is called, found and started by."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventlab import environment
from eventlab.bundled import bundled
from eventlab.cluster import engine, properties
from eventlab.cluster.settings import Settings
from eventlab.errors import ClusterMismatch

FILE = "docker-compose.yaml"
PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"


def project(name: str) -> str:
    """Return the Compose project of a cluster: that of `docker compose up` for "lab"."""
    own = os.environ.get("COMPOSE_PROJECT_NAME", "").strip() or "eventlab"
    return own if name == "lab" else f"eventlab-{name}"


def found(docker: Any, settings: Settings) -> dict[str, int]:
    """Return the ports of the brokers of a project that somebody else has started, by service.

    ClusterMismatch when the project is that of another eventlab, or of another Compose file.
    """
    name = project(settings.name)
    listed = docker.api.containers(all=True, filters={"label": f"{PROJECT}={name}"})
    if settings.backend != "compose" or not listed:
        return {}
    owner = next(filter(None, (each["Labels"].get(engine.OURS) for each in listed)), None)
    if owner:
        raise ClusterMismatch(
            f"The Compose project '{name}' belongs to another eventlab.",
            f"Its folder is {owner}.",
            f"End it with `docker compose -p {name} down -v`, or give yours another name=.",
        )
    services = {each["Labels"][SERVICE]: each for each in listed}
    ports = {key: _port(each) for key, each in services.items() if key.startswith("broker-")}
    if sorted(ports) != ["broker-1", "broker-2", "broker-3"] or not all(ports.values()):
        raise ClusterMismatch(
            f"A Compose project named '{name}' is there, and is no cluster of eventlab's.",
            f"It has {', '.join(sorted(services))}.",
            f"End it with `docker compose -p {name} down`, or give yours another name=.",
        )
    return ports


def _port(container: Mapping[str, Any]) -> int:
    return next((p["PublicPort"] for p in container["Ports"] if p["PrivatePort"] == 9092), 0)


def call(
    folder: Path,
    settings: Settings,
    nodes: list[dict[str, Any]],
    labels: Mapping[str, str],
    subnets: Mapping[str, str],
) -> dict[str, Any]:
    """Return how Compose is called; what a cluster has of its own is in a second file."""
    command = ["docker", "compose", "-p", project(settings.name), "-f", str(bundled(FILE))]
    brokers = [node for node in nodes if node["port"]]
    ports = {f"EVENTLAB_PORT_{node['node_id']}": str(node["behind"]) for node in brokers}
    ports |= {f"EVENTLAB_ADVERTISED_{node['node_id']}": str(node["port"]) for node in brokers}
    if subnets:  # else others have made all of it
        asked = properties.variables({k: str(v) for k, v in settings.properties.items()})
        services = {
            node["service"]: {
                "labels": labels,
                "environment": asked,
                "networks": {engine.BACK: {"ipv4_address": node["address"]}},
            }
            for node in nodes
        }
        volumes = {node["service"]: {"labels": labels} for node in nodes}
        networks = {
            name: {"labels": labels, "ipam": {"config": [{"subnet": subnet}]}}
            for name, subnet in subnets.items()
        }
        override: dict[str, Any] = {"services": services, "volumes": volumes, "networks": networks}
        environment.write_private(folder / "compose.json", json.dumps(override))
        command += ["-f", str(folder / "compose.json")]
    return {"command": command, "environ": ports | {"KAFKA_IMAGE": engine.image()}}
