"""Starting a cluster: everything is checked first, then a supervisor is started and awaited."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

import eventlab
from eventlab import environment
from eventlab.cluster import (
    backends,
    control,
    jars,
    java,
    jvm,
    process,
    properties,
    ready,
    registry,
    storage,
)
from eventlab.cluster.nodes import CLIENT, Node, layout
from eventlab.cluster.prepare import Prepared, is_prepared, prepared
from eventlab.cluster.settings import Settings
from eventlab.errors import (
    ClusterNotRunning,
    EventlabError,
    NotEnoughRoom,
    NotSupported,
    StartFailed,
)
from eventlab.progress import Progress
from eventlab.waiting import Deadline, wait_until

TRIES = 3  # a free port can be taken between the look and the bind
_HEAPS = {"lab": "128m", "small": "128m", "stock": "512m"}
_MEMORY = {"lab": 160, "small": 220, "stock": 400}  # MiB a node, as measured with a margin
_DISK = 500  # MiB: four nodes, their logs and a lesson's records


def launch(settings: Settings, owner: int) -> dict[str, Any]:
    """Start the cluster of resolved settings, return its state when it is ready for use.

    The caller holds the lock of its name. Nothing stays behind when it fails or is interrupted.
    """
    if settings.backend == "external":
        raise NotSupported(
            "A cluster that others run is not started here.",
            "The backend is 'external'.",
            "Use Cluster.connect(...), or set EVENTLAB_BACKEND to embedded.",
        )
    if settings.backend != "embedded":
        from eventlab.cluster import contained  # imported late: an embedded cluster needs no Docker

        return contained.start(settings, owner)
    _refuse_no_room(settings)
    layout(settings)  # a port that is taken is told before anything is fetched
    runtime, kafka, made = requirements()
    for attempt in range(1, TRIES + 1):
        nodes = layout(settings)
        folder = registry.folder(settings.name)
        try:
            _write(folder, settings, nodes, owner, (runtime, kafka, made))
            spawn_supervisor(folder)
            return await_ready(folder)
        except BaseException as error:  # an interrupt too must leave nothing behind
            end(settings.name)
            if not _port_was_taken(error) or settings.port or attempt == TRIES:
                raise
    raise AssertionError("unreachable")


def requirements() -> tuple[java.Java, jars.Kafka, Prepared]:
    """Return Java, Kafka and what is prepared for them, fetching and preparing what is missing."""
    runtime = java.find()
    with Progress("Fetching Kafka", "MB") as bar:
        kafka = jars.fetch(lambda done, total: bar(done / 1e6, total / 1e6))
    with Progress("Preparing quick starts", "s") as bar:
        return runtime, kafka, prepared(runtime, kafka, bar)


def is_ready_to_start() -> bool:
    """Say whether a start needs neither the network nor a preparation."""
    try:
        return is_prepared(java.find(), jars.find())
    except EventlabError:
        return False


def end(name: str) -> None:
    """End the cluster of this name and sweep what one left that was killed.

    The caller holds its lock: a start that is under way has files that nobody owns yet.
    """
    end_running(name)
    registry.sweep(name)


def end_running(name: str) -> None:
    """End the running cluster of this name, whoever owns it; return when nothing of it is left."""
    state = registry.running(name)
    if state:
        with contextlib.suppress(ClusterNotRunning):
            control.ask(registry.folder(name), "end")
        wait_until(
            lambda: process.started_at(state["supervisor"]) is None,
            30,
            f"The cluster '{name}' did not end.",
        )


def _refuse_no_room(settings: Settings) -> None:
    count = (settings.brokers or 0) + (settings.topology == "dedicated")
    need = count * _MEMORY[settings.profile or "lab"]
    have = psutil.virtual_memory().available // 2**20
    if have < need:
        raise _no_room("memory", need, have, "Close other programs, or use profile='small'.")
    free = _free(Path(settings.data) if settings.data else environment.home()) // 2**20
    if free < _DISK:
        raise _no_room("disk", _DISK, free, "Free some, or set EVENTLAB_HOME to another disk.")


def _free(place: Path) -> int:
    """Return the free bytes where this folder is or will be."""
    for folder in (place, *place.parents):
        with contextlib.suppress(OSError):  # not there yet, or not to be looked at
            return shutil.disk_usage(folder).free
    return 0


def _no_room(what: str, need: int, have: int, fix: str) -> NotEnoughRoom:
    return NotEnoughRoom(
        f"There is too little {what} for this cluster.",
        f"It needs {need} MiB, {have} are free.",
        fix,
    )


def _write(
    folder: Path,
    settings: Settings,
    nodes: Sequence[Node],
    owner: int,
    parts: tuple[java.Java, jars.Kafka, Prepared],
) -> None:
    """Write the folder of a cluster: properties and storage of each node, and the launch file."""
    runtime, kafka, made = parts
    root = Path(settings.data) if settings.data else folder
    ids = [node.node_id for node in nodes]
    if settings.data:
        _refuse_shared(root, settings.name)
    cluster_id = storage.claim(root, kafka.version, ids) if settings.data else storage.random_id()
    environment.private_folder(folder)
    for node in nodes:
        place = environment.private_folder(folder / f"node-{node.node_id}")
        data = root / f"node-{node.node_id}" / "data"
        checkpoint = made.checkpoint if "controller" in node.roles else None
        storage.format_node(data, cluster_id, node.node_id, checkpoint)
        text = properties.render(node, nodes, settings, str(data))
        environment.write_private(place / "server.properties", text)
    command = jvm.command(runtime, kafka, _HEAPS[settings.profile or "lab"], made.cache)
    _write_launch(folder, settings, nodes, owner, cluster_id, kafka, command)


def _write_launch(
    folder: Path,
    settings: Settings,
    nodes: Sequence[Node],
    owner: int,
    cluster_id: str,
    kafka: jars.Kafka,
    command: list[str],
) -> None:
    ports = [node.port(CLIENT) for node in nodes]
    told = {
        "backend": "embedded",
        "can": sorted(backends.CAN["embedded"]),
        "name": settings.name,
        "cluster_id": cluster_id,
        "kafka_version": kafka.version,
        "bootstrap_servers": ",".join(f"127.0.0.1:{port}" for port in ports if port),
        "settings": asdict(settings),
    }
    launch_file = {
        "owner": owner,
        "told": told,
        "environ": jvm.environ(**{process.MARK: str(folder)}),
        "nodes": [asdict(node) | {"command": command} for node in nodes],
    }
    environment.write_private(folder / "launch.json", json.dumps(launch_file))


def _refuse_shared(root: Path, name: str) -> None:
    for other in registry.names():
        state = registry.running(other) if other != name else None
        if state and state["settings"]["data"] == str(root):
            raise storage.unusable(root, f"The cluster '{other}' is using it now.")


def spawn_supervisor(folder: Path) -> None:
    """Start the supervisor of a cluster whose launch file is written; it lives on its own."""
    package_parent = str(Path(eventlab.__file__).parent.parent)
    paths = [package_parent, *filter(None, [os.environ.get("PYTHONPATH")])]
    (folder / "supervisor.log").touch(0o600)
    with (folder / "supervisor.log").open("ab") as log:
        started = subprocess.run(  # it forks at once, so that it is no child of a kernel's
            [sys.executable, "-m", "eventlab.cluster.supervisor", str(folder)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            timeout=Deadline(30).seconds,
        )
    if started.returncode:
        tail = (folder / "supervisor.log").read_text("utf-8", "replace")
        raise StartFailed(
            "The supervisor of the cluster did not start.",
            f"Python says: {(tail.splitlines() or ['nothing'])[-1]}.",
            "Type `eventlab doctor`.",
            tail,
        )


def await_ready(folder: Path, within: float = 90) -> dict[str, Any]:
    """Return the state of a cluster that was told to start, when it is ready for use."""
    deadline = Deadline(within)
    nodes = control.ask(folder, "status")["nodes"]
    with Progress(f"Starting {len(nodes)} Kafka nodes", "steps") as bar:
        wait_until(lambda: _all_running(folder, bar), deadline, lambda: _slow(folder), every=0.03)
        state = control.ask(folder, "status")
        brokers = sum("broker" in node["role"] for node in nodes)
        ready.await_service(state["bootstrap_servers"], brokers, deadline)
    return state


def _all_running(folder: Path, bar: Progress) -> bool:
    state = control.ask(folder, "status")
    if state.get("trouble"):
        raise _no_containers(state["trouble"])
    for node in state["nodes"]:
        if node["state"] in ("failed", "killed", "removed"):
            raise _node_failed(folder, node["node_id"])
    running = [node for node in state["nodes"] if node["state"] == "running"]
    bar(len(running), len(state["nodes"]) + 1)
    return len(running) == len(state["nodes"])


def _slow(folder: Path) -> str:
    states = [f"{n['node_id']} {n['state']}" for n in control.ask(folder, "status")["nodes"]]
    return f"The cluster did not get ready; its nodes are: {', '.join(states)}."


def _no_containers(trouble: str) -> StartFailed:
    return StartFailed(
        "The containers of the cluster did not start.",
        f"Docker says: {trouble.strip(' .')[-300:]}.",
        "Look at `docker ps --all`, then try again.",
        trouble,
    )


def _node_failed(folder: Path, node_id: int) -> StartFailed:
    text = control.ask(folder, "log", node_id=node_id)["log"]
    lines = [line for line in text.splitlines() if line.strip()]
    causes = [n for n in lines if "Exception" in n or "Error" in n or "SEVERE" in n]
    return StartFailed(
        f"Node {node_id} ended while it started.",
        f"It says: {(causes or lines or ['nothing'])[-1].strip(' .')[:300]}.",
        "The last lines of its log are in this error's .log.",
        "\n".join(lines[-20:]),
    )


def _port_was_taken(error: BaseException) -> bool:
    return isinstance(error, StartFailed) and "Address already in use" in error.log
