"""Starting a cluster of containers: the engine, the image and the ports are looked at first."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from eventlab import environment
from eventlab.cluster import backends, composed, engine, launch, properties, registry, storage
from eventlab.cluster.nodes import CLIENT, CONTROLLER, CONTROLLER_ID, REPLICATION, free_ports
from eventlab.cluster.settings import Settings
from eventlab.errors import NotSupported, StartFailed

_SERVICE = {"compose": composed.SERVICE, "testcontainers": "eventlab.service"}

_INSIDE = {CLIENT: 9092, REPLICATION: 19092, CONTROLLER: 9093}  # the ports in a container
_ALIKE: dict[str, tuple[Any, ...]] = {"topology": ("dedicated",), "data": (None,)}
_POSSIBLE = {
    "compose": {"profile": ("lab",), "brokers": (3,)} | _ALIKE,  # what the file has
    "testcontainers": {"profile": ("lab", "stock")} | _ALIKE,
}
_JVM = {
    "KAFKA_HEAP_OPTS": "-Xms16m -Xmx192m",
    "KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
}
_START = 180  # seconds: a machine may have four JVMs to start and no cache for them


def start(settings: Settings, owner: int) -> dict[str, Any]:
    """Start the cluster of resolved settings in containers, return its state when it is ready.

    The caller holds the lock of its name. Nothing stays behind when it fails or is interrupted.
    """
    _refuse_unsupported(settings)
    with contextlib.closing(engine.client()) as docker:
        # What one has left that was killed, or whose engine was away at its end.
        engine.remove(docker, registry.folder(settings.name))
        found = composed.found(docker, settings)
        if not found:
            engine.require_image(docker, engine.image())
        return _launch(docker, settings, owner, found)


def _launch(
    docker: Any, settings: Settings, owner: int, found: Mapping[str, int]
) -> dict[str, Any]:
    for attempt in range(1, launch.TRIES + 1):
        folder = registry.folder(settings.name)
        try:
            _write(docker, folder, settings, owner, found)
            launch.spawn_supervisor(folder)
            return launch.await_ready(folder, _START)
        except BaseException as error:  # an interrupt too must leave nothing behind
            launch.end(settings.name)
            if not _subnet_was_taken(error) or attempt == launch.TRIES:
                raise
    raise AssertionError("unreachable")


def _subnet_was_taken(error: BaseException) -> bool:
    return isinstance(error, StartFailed) and "overlaps" in error.log


def _write(
    docker: Any, folder: Path, settings: Settings, owner: int, found: Mapping[str, int]
) -> None:
    """Write the folder of a cluster: its launch file and, for Compose, what is to be otherwise."""
    nodes = _nodes(settings, found)
    project = composed.project(settings.name)
    ours = {engine.OURS: str(folder)}
    labels = {composed.PROJECT: project} if found else ours
    subnets = {} if found else engine.free_subnets(docker, project, ours)
    if subnets:
        _give_addresses(nodes, subnets[engine.BACK])
    environment.private_folder(folder)
    launch_file: dict[str, Any] = {
        "owner": owner,
        "told": _told(settings, nodes, backends.CAN["found" if found else "made"]),
        "project": project,
        "adopted": bool(found),
        "labels": labels,
        "service": _SERVICE[settings.backend or ""],
        "nodes": nodes,
        "subnets": subnets,
    }
    if settings.backend == "compose":
        launch_file |= composed.call(folder, settings, nodes, labels, subnets)
    (folder / "containers").touch()  # they are to be swept, should the supervisor be killed
    environment.write_private(folder / "launch.json", json.dumps(launch_file))


def _give_addresses(nodes: Iterable[dict[str, Any]], subnet: str) -> None:
    """Give each node an address of its own on the network of nodes.

    An engine gives the lowest address that is free. A node that was cut off while another one died
    would come back under the dead one's: what it had to say would lead nowhere, and who looks for
    either would find the wrong one.
    """
    for place, node in enumerate(nodes, 2):  # the first one is the gateway's
        node["address"] = str(ip_network(subnet)[place])


def _nodes(settings: Settings, found: Mapping[str, int]) -> list[dict[str, Any]]:
    free = free_ports(settings)
    brokers = [f"broker-{number}" for number in range(1, (settings.brokers or 0) + 1)]
    ports = {name: found.get(name) or next(free) for name in brokers}
    behind = {name: found.get(name) or next(free) for name in brokers}
    services = [("controller", CONTROLLER_ID), *((n, i) for i, n in enumerate(brokers, 1))]
    cluster_id = storage.random_id()
    return [
        {
            "node_id": node_id,
            "roles": ["broker" if name in ports else "controller"],
            "service": name,
            "port": ports.get(name),  # a proxy of the supervisor's, unless others have started it
            "behind": behind.get(name),
            "inside": _INSIDE[CLIENT if name in ports else CONTROLLER],
            "image": engine.image(),
            "environ": variables(name, node_id, ports, settings) | {"CLUSTER_ID": cluster_id},
        }
        for name, node_id in services
    ]


def variables(
    name: str, node_id: int, ports: Mapping[str, int], settings: Settings
) -> dict[str, str]:
    """Return the variables of a node's container; `ports` are those of all brokers.

    The name by which other nodes know it is one of the network `back` alone: a node that is taken
    off that network is cut off from them, although it is still on the one of clients.
    """
    listeners = (CLIENT, REPLICATION) if name in ports else (CONTROLLER,)
    hosts = {CLIENT: f"127.0.0.1:{ports.get(name)}"} | {
        listener: f"{name}.back:{_INSIDE[listener]}" for listener in (REPLICATION, CONTROLLER)
    }
    names = (CLIENT, REPLICATION, CONTROLLER)
    lines = {
        "process.roles": "broker" if name in ports else "controller",
        "node.id": str(node_id),
        "controller.quorum.voters": f"{CONTROLLER_ID}@controller.back:{_INSIDE[CONTROLLER]}",
        "controller.listener.names": CONTROLLER,
        "listeners": ",".join(f"{listener}://:{_INSIDE[listener]}" for listener in listeners),
        "advertised.listeners": ",".join(f"{key}://{hosts[key]}" for key in listeners),
        "listener.security.protocol.map": ",".join(f"{each}:PLAINTEXT" for each in names),
        "log.dirs": "/var/lib/kafka/data",
    }
    if name in ports:
        lines["inter.broker.listener.name"] = REPLICATION
    return properties.variables(lines | properties.common(settings, len(ports))) | _JVM


def _told(settings: Settings, nodes: list[dict[str, Any]], can: Iterable[str]) -> dict[str, Any]:
    ports = [node["port"] for node in nodes if node["port"]]
    image = engine.image()
    return {
        "backend": settings.backend,
        "can": sorted(can),
        "name": settings.name,
        "kafka_version": image.rpartition(":")[2] if ":" in image else "of " + image,
        "bootstrap_servers": ",".join(f"127.0.0.1:{port}" for port in ports),
        "settings": asdict(settings),
    }


def _refuse_unsupported(settings: Settings) -> None:
    if settings.backend == "compose":
        engine.compose_version()
    for key, possible in _POSSIBLE[settings.backend or ""].items():
        if getattr(settings, key) not in possible:
            raise NotSupported(
                f"The backend '{settings.backend}' cannot have this {key}.",
                f"You gave {key}={getattr(settings, key)!r}.",
                f"Leave {key} out, or use backend='embedded'.",
            )
