"""One connection that goes through a proxy: two sockets, and a pipe for each direction.

Who opened it is the first number in the client id of its first request: `raft-client-1`,
`broker-1-fetcher-0`. Nothing of it reaches the node behind before both links let it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from typing import TYPE_CHECKING

from eventlab.cluster.supervisor.link import CLIENTS, Pipe

if TYPE_CHECKING:
    from eventlab.cluster.supervisor.proxy import Proxy

_HEAD = 14  # bytes before the client id: size, API key, API version, correlation id, its length
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST
_CONNECT = 30.0  # seconds: the kernel of a frozen node takes a few connections up, no more


class End(asyncio.Protocol):
    """One of the two sockets of a connection that goes through a proxy."""

    transport: asyncio.Transport

    def __init__(self, tunnel: Tunnel) -> None:
        self.tunnel = tunnel
        self.reasons: set[str] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = transport  # type: ignore[assignment]
        self.tunnel.opened(self)

    def data_received(self, data: bytes) -> None:
        """Pass on."""
        self.tunnel.received(self, data)

    def eof_received(self) -> bool:
        """Pass on the end of the stream."""
        self.tunnel.received(self, b"")
        return True  # the other direction may go on

    def connection_lost(self, error: Exception | None) -> None:
        """Pass on the end of the connection."""
        self.tunnel.lost(self)

    def pause_writing(self) -> None:
        """Read no more than can be written."""
        self.tunnel.other(self).hold("writing", True)

    def resume_writing(self) -> None:
        """Read on."""
        self.tunnel.other(self).hold("writing", False)

    def hold(self, reason: str, held: bool) -> None:
        """Stop reading while there is a reason to."""
        before = bool(self.reasons)
        (self.reasons.add if held else self.reasons.discard)(reason)
        if before != bool(self.reasons) and not self.transport.is_closing():
            self.transport.resume_reading() if before else self.transport.pause_reading()

    def reset(self) -> None:
        """Break the connection, so that the peer sees a reset."""
        found = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()


class Tunnel:
    """One connection: the end that was accepted, and the one to the node behind the proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.outer, self.inner = End(self), End(self)
        self.ends: list[End] = []  # those that are connected
        self.pipes: dict[End, Pipe] = {}
        self.head = b""
        self.finished = 0
        self.through = False  # to the node behind
        self.over = False
        self.connecting: asyncio.Task[None] | None = None

    def other(self, end: End) -> End:
        """Return the other end."""
        return self.inner if end is self.outer else self.outer

    def opened(self, end: End) -> None:
        """Begin: clients are known by the listener, nodes by what they say first."""
        self.ends.append(end)
        if end is self.outer:
            self.proxy.tunnels.add(self)
            if self.proxy.for_clients:
                self._connect(CLIENTS)

    def received(self, end: End, data: bytes) -> None:
        """Pass on what an end has read; while nobody knows who it is keep it."""
        if not data and not self.through and not self.connecting:
            self.reset()  # it has given up a connection that never came about
        elif end in self.pipes:
            self.pipes[end].feed(data)
        elif not self.over:
            self.head += data
            source = opener(self.head)
            if source:
                self._connect(source)

    def _connect(self, source: str) -> None:
        links, node = self.proxy.links, self.proxy.node
        there, back = links[source, node], links[node, source]
        if "refused" in (there.mode, back.mode):
            self.reset()
            return
        self.pipes = {
            self.outer: Pipe(self, there, self.outer, self.inner),
            self.inner: Pipe(self, back, self.inner, self.outer),
        }
        self.reach()
        if self.head:
            self.pipes[self.outer].feed(self.head)

    def reach(self) -> None:
        """Connect to the node behind, as soon as both links let that pass."""
        both_open = all(pipe.link.mode == "open" for pipe in self.pipes.values())
        if self.pipes and both_open and not self.connecting:
            self.connecting = asyncio.create_task(self._open())

    async def _open(self) -> None:
        make = asyncio.get_running_loop().create_connection
        try:
            async with asyncio.timeout(_CONNECT):
                await make(lambda: self.inner, "127.0.0.1", self.proxy.behind)
        except OSError:
            self.reset()
            return
        self.through = True
        for pipe in list(self.pipes.values()):
            pipe.pump()

    def half_closed(self, end: End) -> None:
        """Tell an end that nothing more comes; when both were told, it is over."""
        self.finished += 1
        with contextlib.suppress(OSError, RuntimeError):
            end.transport.write_eof()
        if self.finished == 2:
            self.close()

    def lost(self, end: End) -> None:
        """An end is gone: what it had sent still arrives, as far as its link lets it."""
        if end in self.pipes and self.through:
            self.pipes[end].feed(None)
        else:
            self.reset()

    def close(self) -> None:
        """Close both ends in order."""
        self._forget()
        for end in self.ends:
            end.transport.close()

    def reset(self) -> None:
        """Break both ends."""
        self._forget()
        for end in self.ends:
            end.reset()

    def _forget(self) -> None:
        self.over = True
        self.proxy.tunnels.discard(self)
        for pipe in self.pipes.values():
            pipe.close()
        self.pipes = {}
        if self.connecting and not self.through:
            self.connecting.cancel()


def opener(head: bytes) -> str | None:
    """Return the node that opened a connection by its first request; None while that is short.

    Request header v1 and v2: size, API key, API version, correlation id, client id (KIP-482).
    """
    if len(head) < _HEAD:
        return None
    (length,) = struct.unpack_from(">h", head, _HEAD - 2)
    if len(head) < _HEAD + max(0, length):
        return None
    found = re.search(rb"\d+", head[_HEAD : _HEAD + max(0, length)])
    return found[0].decode() if found else "?"
