"""A link passes what it should, holds what it should, and forgets nothing when it is mended."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as some

from eventlab.cluster.supervisor.link import CLIENTS, Links
from eventlab.cluster.supervisor.proxy import Proxy, opener

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
    """Run an echo server behind a proxy of node 1."""
    echo, links = Echo(), Links()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    behind = server.sockets[0].getsockname()[1]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    proxy = Proxy(links, "1", {"name": name, "port": port, "behind": behind})
    await proxy.open()
    try:
        yield echo, proxy, links
    finally:
        proxy.close()
        server.close()


async def connect(proxy: Proxy) -> Streams:
    """Connect to a proxy."""
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def exchanged(streams: Streams, data: bytes) -> bytes:
    """Send bytes and return as many."""
    reader, writer = streams
    writer.write(data)
    return await asyncio.wait_for(reader.readexactly(len(data)), 5)


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


@pytest.mark.parametrize(
    ("client_id", "source"),
    [("raft-client-100", "100"), ("2", "2"), ("broker-3-fetcher-0", "3"), ("kafka", "?"),
     (None, "?"), ("AddPartitionsManager-client-1", "1"), ("", "?")],
)  # fmt: skip
def test_who_opened_a_connection_is_in_its_first_request(client_id, source):
    """The first number of the client id, however few bytes of it come at a time."""
    whole = request(client_id)
    assert opener(whole) == source
    needed = len(whole) - 1
    assert [opener(whole[:n]) for n in range(needed)] == [None] * needed


@given(some.binary(max_size=40))
def test_any_first_bytes_are_survived(head):
    """Whatever connects to a port of ours, nothing breaks."""
    assert opener(head) is None or isinstance(opener(head), str)


def test_an_open_link_passes_bytes_and_ends():
    """Both directions, a megabyte at once, and a half-closed connection still answers."""

    async def test() -> None:
        async with proxied() as (echo, proxy, _):
            streams = await connect(proxy)
            data = bytes(range(256)) * 4096
            assert await exchanged(streams, data) == data
            streams[1].write(b"last")
            streams[1].write_eof()
            assert await asyncio.wait_for(streams[0].read(), 5) == b"last"
            await seen(lambda: echo.ends == ["closed"])
            await seen(lambda: not proxy.tunnels)

    run(test)


def test_a_refused_link_resets_what_is_open_and_what_comes():
    """Both ends see a reset; after it the port serves again."""

    async def test() -> None:
        async with proxied() as (echo, proxy, links):
            streams = await connect(proxy)
            await exchanged(streams, b"x")
            links[CLIENTS, "1"].set("refused")
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(streams[0].readexactly(1), 5)
            await seen(lambda: echo.ends == ["reset"])
            again = await connect(proxy)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(again[0].readexactly(1), 5)
            links[CLIENTS, "1"].set()
            assert await exchanged(await connect(proxy), b"y") == b"y"

    run(test)


@pytest.mark.parametrize("direction", [(CLIENTS, "1"), ("1", CLIENTS)])
def test_a_lost_link_holds_everything_until_it_is_mended(direction):
    """Nothing arrives, not even the end; then all of it does, in order."""

    async def test() -> None:
        async with proxied() as (echo, proxy, links):
            reader, writer = await connect(proxy)
            await exchanged((reader, writer), b"before")
            links[direction].set("lost")
            writer.write(b"meanwhile")
            writer.write_eof()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.3)
            assert echo.got == (b"before" if direction[0] == CLIENTS else b"beforemeanwhile")
            links[direction].set()
            assert await asyncio.wait_for(reader.read(), 5) == b"meanwhile"
            await seen(lambda: echo.ends == ["closed"])

    run(test)


def test_a_connection_that_ends_on_a_lost_link_ends_when_it_is_mended():
    """A client that is gone is not missed by the broker before the network tells it."""

    async def test() -> None:
        async with proxied() as (echo, proxy, links):
            _, writer = streams = await connect(proxy)
            await exchanged(streams, b"x")
            links[CLIENTS, "1"].set("lost")
            writer.transport.abort()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await seen(lambda: bool(echo.ends))
            links[CLIENTS, "1"].set()
            await seen(lambda: bool(echo.ends))
            await seen(lambda: not proxy.tunnels)

    run(test)


def test_a_latency_delays_both_directions_and_ends_at_once():
    """Two times 50 ms, whatever is under way; what was held back longer comes when it ends."""

    async def test() -> None:
        async with proxied() as (_, proxy, links):
            streams = await connect(proxy)
            for ends in ((CLIENTS, "1"), ("1", CLIENTS)):
                links[ends].set(seconds=0.05)
            begun = time.monotonic()
            await exchanged(streams, b"x")
            assert time.monotonic() - begun >= 0.1
            links[CLIENTS, "1"].set(seconds=60)
            streams[1].write(b"y")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(streams[0].read(1), 0.2)
            links[CLIENTS, "1"].set()
            assert await asyncio.wait_for(streams[0].read(1), 5) == b"y"

    run(test)


def test_a_rate_is_kept():
    """A megabyte at two megabytes a second takes half a second."""

    async def test() -> None:
        async with proxied() as (_, proxy, links):
            streams = await connect(proxy)
            links[CLIENTS, "1"].set(rate=2e6)
            begun = time.monotonic()
            assert len(await exchanged(streams, bytes(2**20))) == 2**20
            assert time.monotonic() - begun > 0.35

    run(test)


def test_a_sender_waits_where_nobody_reads():
    """A lost link holds a bounded number of bytes; TCP tells the sender to wait for the rest."""

    async def test() -> None:
        async with proxied() as (_, proxy, links):
            _, writer = await connect(proxy)
            links[CLIENTS, "1"].set("lost")
            writer.write(bytes(2**25))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(writer.drain(), 0.5)
            (tunnel,) = proxy.tunnels
            assert sum(pipe.size for pipe in tunnel.pipes.values()) < 2**22

    run(test)


def test_links_between_nodes_know_who_connects():
    """A rule for node 2 leaves node 3 alone."""

    async def test() -> None:
        async with proxied("REPLICATION") as (_, proxy, links):
            two, three = await connect(proxy), await connect(proxy)
            hello = request("broker-2-fetcher-0")
            assert await exchanged(two, hello) == hello
            assert await exchanged(three, request("broker-3-fetcher-0"))
            links["2", "1"].set("refused")
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(two[0].readexactly(1), 5)
            assert await exchanged(three, b"more") == b"more"

    run(test)


def test_a_node_that_is_gone_refuses_connections():
    """As the port of a dead broker does; and serves again when it is back."""

    async def test() -> None:
        async with proxied() as (_, proxy, _links):
            streams = await connect(proxy)
            await exchanged(streams, b"x")
            proxy.close()
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(streams[0].readexactly(1), 5)
            with pytest.raises(ConnectionRefusedError):
                await connect(proxy)
            await proxy.open()
            assert await exchanged(await connect(proxy), b"y") == b"y"

    run(test)


def test_a_port_that_is_taken_is_told_as_such():
    """The start that chose it chooses another."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OSError, match="Address already in use"):
            Proxy(Links(), "1", {"name": "CLIENT", "port": port, "behind": 1})


def test_no_end_waits_for_more_to_send():
    """Nagle's algorithm and delayed acknowledgements would cost 40 ms on every replicated write."""

    async def test() -> None:
        async with proxied() as (_, proxy, _links):
            await exchanged(await connect(proxy), b"x")
            (tunnel,) = proxy.tunnels
            for end in tunnel.ends:
                found = end.transport.get_extra_info("socket")
                assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(test)
