"""Something that is broken, and is mended."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from eventlab.cluster import control, registry
from eventlab.cluster.cluster import Cluster
from eventlab.errors import ClusterNotRunning, NeverHappened

GONE = ("stopped", "killed", "failed")


class Fault:
    """Something that is broken until `mend()`, or until the block that it opened ends."""

    def __init__(self, cluster: Cluster, name: str, target: str, broken: dict[str, Any]) -> None:
        self._folder, self._token = cluster.folder, uuid4().hex
        self.name, self.target = name, target
        told = {"verbs": {}, "name": name, "target": target, "token": self._token} | broken
        self._nodes = {int(node) for node in told["verbs"]}
        try:
            state = control.ask(self._folder, "fault", 30, pid=os.getpid(), fault=told)
        except BaseException:  # it may be broken already, and nobody would hold what mends it
            control.tell(self._folder, "mend", tokens=[self._token])
            raise
        self.number: int = state["number"]

    def mend(self) -> None:
        """Undo it; returns when the nodes are back in the cluster. Mending twice is once.

        Nothing is left to mend of a cluster that is gone. NeverHappened when a node does not start.
        """
        try:
            state = control.ask(self._folder, "mend", 90, tokens=[self._token])
        except ClusterNotRunning:
            if registry.running(self._folder.name):
                raise
            return
        except BaseException:  # an interrupt: it is mended all the same, and not waited for
            control.tell(self._folder, "mend", tokens=[self._token])
            raise
        self._refuse_gone(state)

    def _refuse_gone(self, state: dict[str, Any]) -> None:
        broken = {node for fault in state["faults"] if not fault["end"] for node in fault["nodes"]}
        for node in state["nodes"]:
            ours = node["node_id"] in self._nodes - broken and not state["ending"]
            if ours and node["state"] in GONE:
                raise NeverHappened(
                    f"Node {node['node_id']} did not come back.",
                    f"It is {node['state']}.",
                    f"Look at what it says: `eventlab logs {node['node_id']}`.",
                )

    @property
    def on(self) -> bool:
        """Whether it is still broken."""
        state = registry.running(self._folder.name) or {"faults": ()}
        return any(f["token"] == self._token and not f["end"] for f in state["faults"])

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.mend()

    def __repr__(self) -> str:
        return (
            f"<Fault {self.number}: {self.name} · {self.target} · {'on' if self.on else 'mended'}>"
        )


def pairs(one: Iterable[Any], other: Iterable[Any]) -> list[tuple[str, str]]:
    """Return the links between two groups, in both directions."""
    there = [(str(a), str(b)) for a, b in itertools.product(one, other)]
    return there + [(b, a) for a, b in there]
