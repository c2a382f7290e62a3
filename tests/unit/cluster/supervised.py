"""A supervisor whose nodes are small Python servers: its faults, tried without a JVM."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from eventlab import environment
from eventlab.cluster import control, launch, process, registry
from eventlab.cluster.nodes import free_ports
from eventlab.cluster.settings import Settings
from eventlab.faults.fault import Fault, pairs
from eventlab.waiting import wait_until

# Listens when nobody holds it back, and ends a while after it was told to: as a broker does.
NODE = """
import pathlib, selectors, signal, socket, sys, time
if pathlib.Path('broken').exists():
    sys.exit(3)
def end(*_):
    time.sleep(0.5 if pathlib.Path('slow').exists() else 0)
    sys.exit(143)
signal.signal(signal.SIGTERM, end)
while pathlib.Path('held').exists():
    time.sleep(0.01)
doors = [socket.create_server(('127.0.0.1', int(port))) for port in sys.argv[1:]]
seen = selectors.DefaultSelector()
for door in doors:
    seen.register(door, selectors.EVENT_READ)
while True:
    for key, _ in seen.select():
        if key.fileobj in doors:
            seen.register(key.fileobj.accept()[0], selectors.EVENT_READ)
            continue
        try:
            data = key.fileobj.recv(65536)
            key.fileobj.sendall(data)
        except OSError:
            data = b''
        if not data:
            seen.unregister(key.fileobj)
            key.fileobj.close()
"""


class Supervised:
    """A supervisor of a controller and three brokers that are none."""

    def __init__(self, name: str) -> None:
        self.name, self.folder = name, registry.folder(name)
        ports = free_ports(Settings(name).resolved())
        told = [
            self._node(100, ["controller"], [("CONTROLLER", next(ports), next(ports))]),
            *(self._broker(number, ports) for number in (1, 2, 3)),
        ]
        environment.private_folder(self.folder)
        launch_file = {
            "owner": os.getpid(),
            "told": {"name": name, "backend": "embedded"},
            "environ": {process.MARK: str(self.folder)},
            "nodes": told,
        }
        (self.folder / "launch.json").write_text(json.dumps(launch_file))
        launch.spawn_supervisor(self.folder)
        self.await_states("running")

    def _broker(self, number: int, ports: Any) -> dict[str, Any]:
        names = ("CLIENT", "REPLICATION")
        return self._node(number, ["broker"], [(name, next(ports), next(ports)) for name in names])

    def _node(
        self, number: int, roles: list[str], listeners: list[tuple[str, int, int]]
    ) -> dict[str, Any]:
        environment.private_folder(self.folder)
        environment.private_folder(self.folder / f"node-{number}")
        return {
            "node_id": number,
            "roles": roles,
            "listeners": [
                dict(zip(("name", "port", "behind"), at, strict=True)) for at in listeners
            ],
            "command": [sys.executable, "-c", NODE, *(str(behind) for *_, behind in listeners)],
        }

    def fault(self, verbs: dict[int, str], *, cut: bool = False, rule: Any = None) -> Fault:
        """Do verbs to nodes, cut the first of them off from all others, or both with a rule."""
        first = next(iter(verbs))
        links = pairs([first], {1, 2, 3, 100} - {first}) if cut else []
        told = {"verbs": {} if cut and rule is None else verbs, "links": links}
        told["rule"] = rule or {"mode": "lost"}
        return Fault(self, "broken", "nodes", told)  # type: ignore[arg-type]

    def do(self, node: int, verb: str) -> None:
        """Do a verb to a node, as `cluster.brokers[node].verb()` does."""
        control.ask(self.folder, "node", 30, pid=os.getpid(), node_id=node, verb=verb)

    def status(self) -> dict[str, Any]:
        """Return what the supervisor tells."""
        return control.ask(self.folder, "status", 30)

    def states(self) -> dict[int, str]:
        """Return the state of each node."""
        return {node["node_id"]: node["state"] for node in self.status()["nodes"]}

    def on(self) -> list[dict[str, Any]]:
        """Return the faults that are on."""
        return [fault for fault in self.status()["faults"] if not fault["end"]]

    def reachable(self, node: int) -> bool:
        """Say whether the others reach a node."""
        told = {each["node_id"]: each["reachable"] for each in self.status()["nodes"]}
        return bool(told[node])

    def await_states(self, *states: str) -> None:
        """Return when all nodes are in one of these states."""
        wait_until(
            lambda: set(self.states().values()) <= set(states), 60, lambda: f"{self.states()}"
        )

    def await_whole(self) -> None:
        """Return when nothing is broken any more."""
        wait_until(lambda: not self.on(), 60, lambda: f"{self.on()}")
        self.await_states("running")

    def note(self, node: int, word: str) -> Path:
        """Tell a node that is to start: held, slow or broken."""
        path = self.folder / f"node-{node}" / word
        path.touch()
        return path
