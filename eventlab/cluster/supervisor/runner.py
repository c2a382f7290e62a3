"""What a supervisor wants of whatever runs the nodes: processes of this machine, or containers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol


class Node(Protocol):
    """One Kafka node: what it is, and what can be done to it."""

    node_id: int
    roles: list[str]
    endings: int  # that are under way

    @property
    def state(self) -> str:
        """Starting, running, frozen, stopped, killed, failed or removed."""

    def describe(self) -> dict[str, Any]:
        """Return what `eventlab status --json` prints of it."""

    def log(self) -> str:
        """Return what it has written, the last few megabytes at most."""

    def read(self, path: str) -> bytes | None:
        """Return the first mebibyte of a file that it has, None when there is none."""

    async def start(self) -> None:
        """Start it unless it lives, thaw it, and return when it is ready."""

    async def stop(self) -> None:
        """SIGTERM."""

    async def kill(self) -> None:
        """SIGKILL."""

    async def freeze(self) -> None:
        """Halt it."""

    async def thaw(self) -> None:
        """Let it go on."""


class Links(Protocol):
    """The links between nodes, and from clients to them."""

    async def rule(self, rules: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        """Set the rules of these links."""

    def reach(self, node: str, nodes: Iterable[str]) -> bool:
        """Say whether clients reach a node, and the node any of the others."""


class Runner(Protocol):
    """The nodes of one cluster, from their first start to their end."""

    @property
    def nodes(self) -> Mapping[int, Node]:
        """The nodes by node_id."""

    @property
    def links(self) -> Links:
        """The links between them, and from clients to them."""

    async def start(self, begun: Callable[[], None]) -> None:
        """Start all nodes; `begun` is called when there is something that could be left behind."""

    async def end(self) -> bool:
        """End all nodes; say whether nothing of them is left, which a later start would sweep."""

    async def look(self) -> None:
        """See to what changes without being asked: called a few times a second."""

    def told(self) -> dict[str, Any]:
        """Return what is known of the cluster beyond its launch file."""

    def explain(self, error: Exception) -> list[str]:
        """Return an error for whoever asked, its name and its sentences; nothing for a bug."""

    def pids(self) -> list[int]:
        """Return the processes that a later start has to sweep up, should this one be killed."""


def runner(launch: dict[str, Any], folder: Path) -> Runner:
    """Return the one for the backend of a launch file."""
    if launch["told"]["backend"] == "embedded":
        from eventlab.cluster.supervisor.processes import Processes

        return Processes(launch, folder)
    from eventlab.cluster.supervisor.containers import Containers

    return Containers(launch, folder)
