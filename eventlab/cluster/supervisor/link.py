"""The links between the nodes of a cluster, and from clients to them.

A link is one direction, from a node or "clients" to a node. It is open, refused (connections are
reset), or lost (nothing passes, not even the end of a connection); open, it may be slow. What a
broker answers travels under the rule of its own direction.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventlab.cluster.supervisor.tunnel import End, Tunnel

CLIENTS = "clients"
_MODES = ("open", "refused", "lost")  # of two that are wanted of a link the later one holds
_QUEUE = 2**20  # bytes held for a slow or lost link; then TCP tells the sender to wait
_PIECE = 0.02  # seconds of a rate that pass at once: what comes in one read is not one packet


class Link:
    """One direction between two ends; `seconds` of latency, `rate` in bytes a second."""

    def __init__(self) -> None:
        self.pipes: set[Pipe] = set()
        self.set()

    def set(self, mode: str = "open", seconds: float = 0.0, rate: float = 0.0) -> None:
        """Change the rule, for open connections too; a link that is refused loses them."""
        self.mode, self.seconds, self.rate = mode, seconds, rate
        self.free = mode == "open" and not seconds and not rate
        self.taken = time.monotonic()  # until when bytes on their way use the rate up
        for pipe in list(self.pipes):
            pipe.tunnel.reset() if mode == "refused" else pipe.begin_anew()

    def due(self, since: float, size: int) -> float:
        """Return when bytes that wait since then have passed; all connections share the rate."""
        if self.rate:
            self.taken = since = max(since, self.taken) + size / self.rate
        return since + self.seconds


class Pipe:
    """One direction of one connection, from the end it reads to the end it writes."""

    def __init__(self, tunnel: Tunnel, link: Link, source: End, target: End) -> None:
        self.tunnel, self.link, self.source, self.target = tunnel, link, source, target
        self.queue: deque[tuple[float, memoryview | None]] = deque()
        self.size = 0
        self.due: float | None = None  # of what is first in the queue
        self.timer: asyncio.TimerHandle | None = None
        link.pipes.add(self)

    def feed(self, data: bytes | None) -> None:
        """Take what was read: no bytes are the end of the stream, None that of the connection."""
        if self.link.free and not self.queue and self.tunnel.through:
            self._write(data)
            return
        self.queue.append((time.monotonic(), None if data is None else memoryview(data)))
        self.size += len(data or b"")
        self.source.hold("queue", self.size > _QUEUE)
        self.pump()

    def begin_anew(self) -> None:
        """Reckon by a new rule: a latency that has ended holds nothing back."""
        self.due = None
        self.tunnel.reach()
        self.pump()

    def pump(self) -> None:
        """Write what is due, and come back when the next is."""
        if self.timer:
            self.timer.cancel()
        while self.queue and self.link.mode == "open" and self.tunnel.through:
            since, data = self.queue[0]
            piece, rest = self._cut(data)
            if self.due is None:
                self.due = self.link.due(since, len(piece or b""))
            if self.due > time.monotonic():
                self.timer = asyncio.get_running_loop().call_at(self.due, self.pump)
                break
            self._pass(since, piece, rest)
        self.source.hold("queue", self.size > _QUEUE)

    def _cut(self, data: memoryview | None) -> tuple[memoryview | None, memoryview | None]:
        """Return what passes at once, and what is left of it."""
        most = max(1, int(self.link.rate * _PIECE)) if self.link.rate else 0
        return (data[:most], data[most:]) if data and most else (data, None)

    def _pass(self, since: float, piece: memoryview | None, rest: memoryview | None) -> None:
        self.queue.popleft()
        if rest:
            self.queue.appendleft((since, rest))
        self.size -= len(piece or b"")
        self.due = None
        self._write(piece)

    def _write(self, data: bytes | memoryview | None) -> None:
        if data is None:
            self.tunnel.close()
        elif not data:
            self.tunnel.half_closed(self.target)
        elif not self.target.transport.is_closing():  # else nobody is there to read it
            self.target.transport.write(data)

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

    async def rule(self, rules: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        """Set the rules of these links."""
        for ends, rule in rules.items():
            self[ends].set(**rule)

    def open(self) -> None:
        """Let everything pass."""
        for link in self.values():
            link.set()

    def reach(self, node: str, nodes: Iterable[str]) -> bool:
        """Say whether clients reach a node, and the node any of the others."""
        others = [other for other in nodes if other != node]
        linked = [self[node, other].mode == "open" for other in others]
        return self[CLIENTS, node].mode == "open" and (any(linked) or not others)


def together(rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one rule for all that is wanted of a link: nobody's fault makes another's weaker."""
    modes = [rule.get("mode", "open") for rule in rules]
    rates = [rule["rate"] for rule in rules if rule.get("rate")]
    return {
        "mode": max(modes, key=_MODES.index, default="open"),
        "seconds": sum(rule.get("seconds", 0.0) for rule in rules),
        "rate": min(rates, default=0.0),
    }
