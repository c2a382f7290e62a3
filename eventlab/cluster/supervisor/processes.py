"""The nodes of an embedded cluster: JVMs of this machine, with proxies in front of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eventlab.cluster import process
from eventlab.cluster.supervisor.link import Links
from eventlab.cluster.supervisor.node import Node

END = 5.0  # seconds that brokers get to leave the cluster in order
QUORUM_END = 1.0


class Processes:
    """The JVMs of a cluster and the links between them."""

    def __init__(self, launch: dict[str, Any], folder: Path) -> None:
        self.links, environ = Links(), launch["environ"]
        self.nodes = {
            told["node_id"]: Node(told, folder / f"node-{told['node_id']}", environ, self.links)
            for told in launch["nodes"]
        }
        nodes = self.nodes.values()
        self.controllers = [node for node in nodes if "controller" in node.roles]
        self.brokers = [node for node in nodes if "controller" not in node.roles]

    async def start(self, begun: Callable[[], None]) -> None:
        """Start the controllers, then the brokers."""
        # Brokers register with the controller; before it listens they would only burn CPU.
        for wave in (self.controllers, self.brokers):
            starts = [asyncio.create_task(node.start()) for node in wave]
            await asyncio.sleep(0)
            begun()
            await asyncio.gather(*starts)

    async def end(self) -> bool:
        """Brokers first: they need the controller to leave, and hang for minutes without it."""
        for node in self.nodes.values():
            node.retired = True
        self.links.open()
        for controller in self.controllers:
            await controller.thaw()
        alone = not any(controller.pid for controller in self.controllers)
        await asyncio.gather(*(n.kill() if alone else n.stop(END) for n in self.brokers))
        # Of a quorum that ends as a whole no node can leave in order.
        within = END if len(self.controllers) == 1 else QUORUM_END
        await asyncio.gather(*(controller.stop(within) for controller in self.controllers))
        return True

    async def look(self) -> None:
        """Keep logs short, and close the proxies of a JVM that has ended."""
        for node in self.nodes.values():
            process.cap_log(node.folder / process.LOG)
            node.close_when_gone()

    def told(self) -> dict[str, Any]:
        """Return nothing: all was known before the start."""
        return {}

    def explain(self, error: Exception) -> list[str]:
        """Return nothing: what a signal is refused, is refused by mistake."""
        return []

    def pids(self) -> list[int]:
        """Return the pids of the JVMs."""
        return [pid for node in self.nodes.values() if (pid := node.pid)]
