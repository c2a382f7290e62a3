"""The nodes of a cluster as containers of a Docker engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eventlab.cluster import engine
from eventlab.cluster.supervisor.compose import Compose
from eventlab.cluster.supervisor.container import Container, inspect
from eventlab.cluster.supervisor.disposable import Disposable
from eventlab.cluster.supervisor.link import Links
from eventlab.cluster.supervisor.networks import Networks
from eventlab.errors import EventlabError

_MAKERS: dict[str, Any] = {"compose": Compose, "testcontainers": Disposable}


class Containers:
    """The containers of one cluster, found by their labels; a maker makes and removes them."""

    def __init__(self, launch: dict[str, Any], folder: Path) -> None:
        self._engine = engine.client()
        self._labels: dict[str, str] = launch["labels"]
        self._service: str = launch["service"]  # the label that names a node
        clients = Links()
        self.nodes = {
            told["node_id"]: Container(told, self._engine, clients) for told in launch["nodes"]
        }
        back = f"{launch['project']}_{engine.BACK}"
        self.links = Networks(self.nodes, back, clients, self._engine)
        self._maker = _MAKERS[launch["told"]["backend"]](launch)
        self._failed = self._silent = ""  # what the engine said to a start, and to the last look

    async def start(self, begun: Callable[[], None]) -> None:
        """Make the containers, and return when their nodes are ready; trouble is kept to tell."""
        begun()
        try:
            await self._maker.up()
            await self.look()
            await asyncio.gather(*(node.get_ready() for node in self.nodes.values()))
        except Exception as error:  # whoever awaits the start is to hear what an engine says
            self._failed = _text(error)

    async def end(self) -> bool:
        """Remove the containers; those that somebody else has started are mended, and left."""
        try:
            if self._maker.adopted:
                await self.links.open()
                await asyncio.gather(*(node.start() for node in self.nodes.values()))
            else:
                await self._maker.down()
                # Whatever is left, such as what testcontainers has made.
                await asyncio.to_thread(engine.remove, self._engine, self._labels[engine.OURS])
        except Exception:  # an engine that does not answer now has them when it comes back
            return False
        finally:
            self._engine.close()
        return True

    async def look(self) -> None:
        """Ask the engine for all containers at once, and for more of those that have changed."""
        verbs = {number: node.verbs for number, node in self.nodes.items()}
        try:
            found = await asyncio.to_thread(self._containers)
            self._silent = ""
        except Exception as error:  # the engine does not answer: nobody knows what its nodes do
            self._silent, found = _text(error), {}
        for number, node in self.nodes.items():
            node.silent = bool(self._silent)
            # What was done to it meanwhile, the engine's answer does not know of.
            if not node.silent and node.verbs == verbs[number]:
                node.see(found.get(node.service))

    def _containers(self) -> dict[str, dict[str, Any]]:
        """Return what the engine knows of each container, by the node's service."""
        labels = [f"{key}={value}" for key, value in self._labels.items()]
        listed = self._engine.api.containers(all=True, filters={"label": labels})
        known = {node.seen["Id"]: node.seen for node in self.nodes.values() if node.seen}
        found = {}
        for each in listed:
            service = each["Labels"].get(self._service)
            found[service] = self._known(each, known.get(each["Id"]))
        return {service: told for service, told in found.items() if told}

    def _known(self, listed: dict[str, Any], seen: dict[str, Any] | None) -> dict[str, Any] | None:
        is_same = seen and (seen["State"]["Status"], seen["State"]["Pid"] != 0) == (
            listed["State"],
            listed["State"] in ("running", "paused"),
        )
        return seen if is_same else inspect(self._engine, listed["Id"])

    def told(self) -> dict[str, Any]:
        """Return what has gone wrong, and whether others have started the containers."""
        return {"trouble": self._failed or self._silent, "adopted": self._maker.adopted}

    def explain(self, error: Exception) -> list[str]:
        """Return what an engine that is away leaves to say."""
        return [type(error).__name__, *error.args] if isinstance(error, EventlabError) else []

    def pids(self) -> list[int]:
        """Return none: containers are swept by their labels."""
        return []


def _text(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
