"""The links between the nodes of a cluster, and from clients to them.

A link is one direction, from a node or "clients" to a node. It is open, refused (connections are
reset), or lost (nothing passes, not even the end of a connection); open, it may be slow. What a
broker answers travels under the rule of its own direction.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventlab.cluster.supervisor.proxy import End, Tunnel

CLIENTS = "clients"
_QUEUE = 2**20  # bytes held for a slow or lost link; then TCP tells the sender to wait


class Link:
    """One direction between two ends; `seconds` of latency, `rate` in bytes a second."""

    def __init__(self) -> None:
        self.pipes: set[Pipe] = set()
        self.set()

    def set(self, mode: str = "open", seconds: float = 0.0, rate: float = 0.0) -> None:
        """Change the rule, for open connections too; a link that is refused loses them."""
        self.mode, self.seconds, self.rate = mode, seconds, rate
        self.free = mode == "open" and not seconds and not rate
        for pipe in list(self.pipes):
            pipe.tunnel.reset() if mode == "refused" else pipe.pump()


class Pipe:
    """One direction of one connection, from the end it reads to the end it writes."""

    def __init__(self, tunnel: Tunnel, link: Link, source: End, target: End) -> None:
        self.tunnel, self.link, self.source, self.target = tunnel, link, source, target
        self.queue: deque[tuple[float, bytes | None]] = deque()
        self.size, self.next_free = 0, 0.0
        self.timer: asyncio.TimerHandle | None = None
        link.pipes.add(self)

    def feed(self, data: bytes | None) -> None:
        """Take what was read: no bytes are the end of the stream, None that of the connection."""
        if self.link.free and not self.queue:
            self._write(data)
            return
        self.queue.append((asyncio.get_running_loop().time(), data))
        self.size += len(data or b"")
        self.source.hold("queue", self.size > _QUEUE)
        self.pump()

    def pump(self) -> None:
        """Write what is due, and come back when the next is."""
        loop = asyncio.get_running_loop()
        if self.timer:
            self.timer.cancel()
        while self.queue and self.link.mode == "open":
            # Reckoned anew each time: a latency that has ended holds nothing back.
            due = max(self.queue[0][0] + self.link.seconds, self.next_free)
            if due > loop.time():
                self.timer = loop.call_at(due, self.pump)
                break
            _, data = self.queue.popleft()
            self.size -= len(data or b"")
            self._write(data)
            if self.link.rate:
                self.next_free = loop.time() + len(data or b"") / self.link.rate
        self.source.hold("queue", self.size > _QUEUE)

    def _write(self, data: bytes | None) -> None:
        if data:
            self.target.transport.write(data)
        elif data is None:
            self.tunnel.close()
        else:
            self.tunnel.half_closed(self.target)

    def close(self) -> None:
        """Forget what was not delivered."""
        self.link.pipes.discard(self)
        self.queue.clear()
        if self.timer:
            self.timer.cancel()


class Links(dict[tuple[str, str], Link]):
    """The links by (from, to); one that nobody has touched is open."""

    def __missing__(self, ends: tuple[str, str]) -> Link:
        return self.setdefault(ends, Link())

    def reach(self, node: str, nodes: Iterable[str]) -> bool:
        """Say whether clients reach a node, and the node any of the others."""
        others = [other for other in nodes if other != node]
        linked = [self[node, other].mode == "open" for other in others]
        return self[CLIENTS, node].mode == "open" and (any(linked) or not others)
