"""Loopback TCP proxies in front of every listener, so that links can be cut without root.

Kafka's listeners advertise the proxies, hence nobody goes round them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from eventlab.cluster.supervisor.link import Links
from eventlab.cluster.supervisor.tunnel import Tunnel


class Proxy:
    """What listens on the advertised port of one listener of a node."""

    def __init__(self, links: Links, node: str, told: dict[str, object]) -> None:
        self.links, self.node = links, node
        self.port, self.behind = int(str(told["port"])), int(str(told["behind"]))
        self.for_clients = told["name"] == "CLIENT"
        self.tunnels: set[Tunnel] = set()
        self._opening = asyncio.Lock()
        self._server: asyncio.Server | None = None
        # The port is ours from now on, though nobody listens yet.
        self._held = self._bound() if self.port != self.behind else None

    def _bound(self) -> socket.socket:
        # Named as TCP, or asyncio leaves Nagle's algorithm on: 40 ms for every acks=all.
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(("127.0.0.1", self.port))
        except OSError:
            made.close()
            raise
        return made

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    async def open(self) -> None:
        """Listen: connections are refused before the node behind accepts them."""
        async with self._opening:
            if self._server is None and self.port != self.behind:
                held, self._held = self._held or self._bound(), None
                make = asyncio.get_running_loop().create_server
                self._server = await make(lambda: Tunnel(self).outer, sock=held, backlog=512)

    def close(self) -> None:
        """Refuse connections and break those that are open: the node behind is gone."""
        if self._server:
            self._server.close()
            self._server = None
            with contextlib.suppress(OSError):  # then it is tried again when it is opened
                self._held = self._bound()
        for tunnel in list(self.tunnels):
            tunnel.reset()
