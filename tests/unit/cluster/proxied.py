"""A proxy before a server that echoes, and what its tests do with connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from eventlab.cluster.supervisor.link import Links
from eventlab.cluster.supervisor.proxy import Proxy

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo:
    """A server that sends back what it gets, and remembers how its connections ended."""

    def __init__(self) -> None:
        self.got = b""
        self.ends: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Echo until the end of the stream."""
        try:
            while data := await reader.read(65536):
                self.got += data
                writer.write(data)
                await writer.drain()
            self.ends.append("closed")
        except ConnectionError:
            self.ends.append("reset")
        writer.close()


@contextlib.asynccontextmanager
async def proxied(name: str = "CLIENT") -> AsyncIterator[tuple[Echo, Proxy, Links]]:
    """Run an echo server behind a proxy of node 1; nothing of the proxy's may be left."""
    echo, links = Echo(), Links()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    async with before(server.sockets[0].getsockname()[1], links, name) as proxy:
        try:
            yield echo, proxy, links
        finally:
            server.close()


@contextlib.asynccontextmanager
async def before(behind: int, links: Links, name: str = "CLIENT") -> AsyncIterator[Proxy]:
    """Run a proxy of node 1 before a port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    proxy = Proxy(links, "1", {"name": name, "port": port, "behind": behind})
    await proxy.open()
    try:
        yield proxy
    finally:
        proxy.close()
    assert left(proxy, links) == []


def left(proxy: Proxy, links: Links) -> list[Any]:
    """Return what a proxy has of connections."""
    return [*proxy.tunnels, *(pipe for link in links.values() for pipe in link.pipes)]


async def connect(proxy: Proxy) -> Streams:
    """Connect to a proxy."""
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def exchanged(streams: Streams, data: bytes) -> bytes:
    """Send bytes and return as many."""
    reader, writer = streams
    writer.write(data)
    return await asyncio.wait_for(reader.readexactly(len(data)), 5)


def connecting() -> int:
    """Return how many tasks try to reach a node."""
    return sum("Tunnel._open" in repr(task) for task in asyncio.all_tasks())


def broken_off(writer: asyncio.StreamWriter) -> None:
    """End a connection by a reset, as a client does that is killed with answers unread."""
    found = writer.transport.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def seen(condition: Callable[[], bool]) -> None:
    """Return when a condition has come true."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine function in a loop of its own."""
    asyncio.run(asyncio.wait_for(test(), 20))  # type: ignore[arg-type]


def request(client_id: str | None) -> bytes:
    """Return the first bytes that a Kafka client with this id sends."""
    text = None if client_id is None else client_id.encode()
    head = struct.pack(">hhih", 18, 3, 7, -1 if text is None else len(text)) + (text or b"")
    return struct.pack(">i", len(head) + 1) + head + b"\0"


@contextlib.contextmanager
def nobody_home() -> Any:
    """Give a port whose kernel takes no connection up any more, as that of a frozen broker."""
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            more = waiting.enter_context(socket.socket())
            more.setblocking(False)
            more.connect_ex(full.getsockname())
        yield full.getsockname()[1]
