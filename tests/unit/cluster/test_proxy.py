"""A proxy passes what is said to whom it is said, and keeps nothing of what has ended."""

from __future__ import annotations

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as some

from eventlab.cluster.supervisor import tunnel as tunnel_
from eventlab.cluster.supervisor.link import CLIENTS, Links
from eventlab.cluster.supervisor.proxy import Proxy
from eventlab.cluster.supervisor.tunnel import opener
from tests.unit.cluster.proxied import (
    before,
    broken_off,
    connect,
    connecting,
    exchanged,
    left,
    nobody_home,
    proxied,
    request,
    run,
    seen,
)


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


def test_the_first_request_may_come_byte_by_byte_and_the_rest_at_once():
    """A node is known when its client id is there, and not before; what came is passed on."""

    async def test() -> None:
        async with proxied("REPLICATION") as (echo, proxy, links):
            links["2", "1"].set(seconds=0.001)
            reader, writer = await connect(proxy)
            hello = request("broker-2-fetcher-0")
            for byte in hello:
                writer.write(bytes([byte]))
                await asyncio.sleep(0)
            data = b"z" * 300_000
            writer.write(data)
            wanted = len(hello) + len(data)
            assert await asyncio.wait_for(reader.readexactly(wanted), 10) == hello + data
            assert len(links["2", "1"].pipes) == 1
            assert echo.got == hello + data

    run(test)


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" * 900, b"\xff" * 50_000, b"\0" * 50_000,
     b"\x16\x03\x01" + b"\x7f" * 40_000, request("\u5361\u592b\u5361 2"), request("x" * 32_000)],
    ids=range(6),
)  # fmt: skip
@pytest.mark.parametrize("name", ["CLIENT", "REPLICATION"])
def test_what_is_not_kafka_is_the_nodes_to_refuse(name, garbage):
    """It passes as it is: a proxy decides who speaks, not what is said; nothing is kept of it."""

    async def test() -> None:
        async with proxied(name) as (echo, proxy, _):
            reader, writer = await connect(proxy)
            writer.write(garbage)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 10) == garbage
            assert echo.got == garbage
            await seen(lambda: not proxy.tunnels)

    run(test)


@pytest.mark.parametrize("sent", [b"", b"\0\0", request("broker-2")[:-4]])
def test_a_connection_without_a_first_request_ends_with_whoever_opened_it(sent):
    """Nobody behind the proxy hears of it."""

    async def test() -> None:
        async with proxied("REPLICATION") as (echo, proxy, _):
            _, writer = await connect(proxy)
            writer.write(sent)
            await seen(lambda: len(proxy.tunnels) == 1)
            writer.close()
            await seen(lambda: not proxy.tunnels)
            assert (echo.got, echo.ends) == (b"", [])

    run(test)


def test_what_is_sent_and_ended_at_once_arrives():
    """Before the proxy is through to the node: data and end of stream wait for it."""

    async def test() -> None:
        async with proxied() as (echo, proxy, _):
            with socket.create_connection(("127.0.0.1", proxy.port)) as quick:
                quick.sendall(b"all that I have to say")
            await seen(lambda: echo.ends == ["closed"])
            assert echo.got == b"all that I have to say"
            await seen(lambda: not proxy.tunnels)

    run(test)


def test_a_connection_over_a_lost_link_is_made_when_it_is_mended():
    """Nothing of it reaches the node before, as nothing of a first packet would."""

    async def test() -> None:
        async with proxied() as (echo, proxy, links):
            for lost in ((CLIENTS, "1"), ("1", CLIENTS)):
                links[lost].set("lost")
                streams = await connect(proxy)
                streams[1].write(b"hello")
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(streams[0].read(1), 0.2)
                assert echo.got == b""
                links[lost].set()
                assert await asyncio.wait_for(streams[0].readexactly(5), 5) == b"hello"
                echo.got = b""

    run(test)


@pytest.mark.parametrize("name", ["CLIENT", "REPLICATION"])
@pytest.mark.parametrize("how", [asyncio.StreamWriter.close, broken_off])
def test_who_gives_up_over_a_lost_link_leaves_nothing(name, how):
    """A client that tries again and again for minutes uses no socket up."""

    async def test() -> None:
        async with proxied(name) as (echo, proxy, links):
            for source in (CLIENTS, "2"):
                links[source, "1"].set("lost")
            for _ in range(100):
                _, writer = await connect(proxy)
                writer.write(request("broker-2-fetcher-0"))
                await seen(lambda: len(links[CLIENTS, "1"].pipes | links["2", "1"].pipes) == 1)
                how(writer)
                await seen(lambda: not proxy.tunnels)
            assert left(proxy, links) == []
            assert (echo.got, echo.ends) == (b"", [])

    run(test)


@pytest.mark.parametrize("end", ["refused", "abort", "gone", "deadline"])
def test_a_connection_that_does_not_come_about_leaves_nothing(end, monkeypatch):
    """Reset by a fault, by its client, by the node's end or by its deadline: no task, no socket."""

    async def test() -> None:
        links = Links()
        with nobody_home() as port:
            async with before(port, links) as proxy:
                monkeypatch.setattr(tunnel_, "_CONNECT", 0.2 if end == "deadline" else 30)
                reader, writer = await connect(proxy)
                writer.write(b"x" * 100)
                await seen(lambda: any(tunnel.connecting for tunnel in proxy.tunnels))
                (tunnel,) = proxy.tunnels
                if end == "refused":
                    links[CLIENTS, "1"].set("refused")
                elif end == "abort":
                    broken_off(writer)
                elif end == "gone":
                    proxy.close()
                await seen(lambda: tunnel.connecting.done())
                if end != "abort":
                    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                        await asyncio.wait_for(reader.readexactly(1), 5)
                assert left(proxy, links) == []
                assert connecting() == 0

    run(test)


def test_a_sender_waits_while_the_node_is_not_reached():
    """What is kept for a node that takes nothing up is bounded."""

    async def test() -> None:
        links = Links()
        with nobody_home() as port:
            async with before(port, links) as proxy:
                _, writer = await connect(proxy)
                writer.write(bytes(2**25))
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(writer.drain(), 0.5)
                (tunnel,) = proxy.tunnels
                assert sum(pipe.size for pipe in tunnel.pipes.values()) < 2**22

    run(test)


def test_hundreds_of_connections_are_served_cut_and_mended():
    """None is mixed up with another, none is left."""

    async def test() -> None:
        async with proxied() as (_, proxy, links):
            each = [await connect(proxy) for _ in range(200)]
            links[CLIENTS, "1"].set("lost")
            asked = [
                asyncio.create_task(exchanged(streams, b"%06d" % number * 20))
                for number, streams in enumerate(each)
            ]
            await seen(lambda: all(pipe.size for pipe in links[CLIENTS, "1"].pipes))
            links[CLIENTS, "1"].set()
            answers = await asyncio.gather(*asked)
            assert answers == [b"%06d" % number * 20 for number in range(200)]
            links[CLIENTS, "1"].set("refused")
            assert left(proxy, links) == []

    run(test)


def test_the_port_of_a_node_that_is_gone_is_kept_for_it():
    """Nobody listens, and nobody else can."""

    async def test() -> None:
        async with proxied() as (_, proxy, _links):
            proxy.close()
            proxy.close()
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", proxy.port))
            await asyncio.gather(*(proxy.open() for _ in range(5)))
            assert await exchanged(await connect(proxy), b"y") == b"y"

    run(test)
