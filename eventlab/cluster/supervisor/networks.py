"""The links of containers: a network between nodes, and proxies in front of them for clients.

A container that is taken off the network `back` is cut off from all other nodes, and clients still
reach it. Single links between nodes cannot be cut, and none can be slow.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from typing import Any

from eventlab.cluster.supervisor.container import Container
from eventlab.cluster.supervisor.link import CLIENTS, Links


class Networks:
    """Which nodes are off `back`, by the engine's name of it; `clients` are links of proxies."""

    def __init__(
        self, nodes: Mapping[int, Container], back: str, clients: Links, engine: Any
    ) -> None:
        self._nodes, self._back, self._clients, self._api = nodes, back, clients, engine.api
        self._cut: set[tuple[str, str]] = set()
        self._off: dict[int, tuple[IPv4Address, dict[str, Any]]] = {}  # with how to come back
        self._changing = asyncio.Lock()

    async def rule(self, rules: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        """Cut links, or open them; those of clients may be slow too."""
        for ends, rule in rules.items():
            if CLIENTS in ends:
                self._clients[ends].set(**rule)
            else:
                (self._cut.discard if rule["mode"] == "open" else self._cut.add)(ends)
        async with self._changing:
            await asyncio.to_thread(self._follow)

    async def open(self) -> None:
        """Let everything pass."""
        self._clients.open()
        await self.rule({ends: {"mode": "open"} for ends in list(self._cut)})

    def reach(self, node: str, nodes: Iterable[str]) -> bool:
        """Say whether clients reach a node, and the node any of the others."""
        return self._clients.reach(node, nodes) and not self._is_alone(int(node))

    def _is_alone(self, node: int) -> bool:
        others = [str(other) for other in self._nodes if other != node]
        return bool(others) and all((other, str(node)) in self._cut for other in others)

    def _follow(self) -> None:
        """Take nodes off the network and back on, as the links that are cut want it.

        One who comes back under another's address has connections that lead nowhere. Where nodes
        have no fixed ones, since others have made the network, they come back in the order of
        those that they had: an engine gives the lowest that is free.
        """
        alone = {node for node in self._nodes if self._is_alone(node)}
        for node in sorted(alone - set(self._off)):
            self._leave(node)
        for node in sorted(set(self._off) - alone, key=lambda node: self._off[node][0]):
            self._join(node)

    def _leave(self, node: int) -> None:
        if seen := self._nodes[node].seen:
            ends = self._api.inspect_container(seen["Id"])["NetworkSettings"]["Networks"]
            if end := ends.get(self._back):
                # Without its aliases nobody would find the node again when it leads.
                given = {"aliases": end["Aliases"] or []}
                if fixed := (end["IPAMConfig"] or {}).get("IPv4Address"):
                    given["ipv4_address"] = fixed
                self._off[node] = IPv4Address(end["IPAddress"]), given
                self._api.disconnect_container_from_network(seen["Id"], self._back)

    def _join(self, node: int) -> None:
        from docker.errors import APIError

        (_, given), seen = self._off.pop(node), self._nodes[node].seen
        if seen:
            with contextlib.suppress(APIError):  # somebody else has joined it
                self._api.connect_container_to_network(seen["Id"], self._back, **given)
