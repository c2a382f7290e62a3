"""A link passes what it should, holds what it should, and forgets nothing when it is mended."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from eventlab.cluster.supervisor.link import CLIENTS
from tests.unit.cluster.proxied import (
    Streams,
    broken_off,
    connect,
    connecting,
    exchanged,
    left,
    proxied,
    request,
    run,
    seen,
)


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


def test_an_answer_to_somebody_who_is_gone_is_dropped(caplog):
    """A node that answers for long what nobody hears fills no log with it."""

    async def test() -> None:
        async with proxied() as (_, proxy, links):
            streams = await connect(proxy)
            await exchanged(streams, b"x")
            links[CLIENTS, "1"].set("lost")
            (tunnel,) = proxy.tunnels
            broken_off(streams[1])
            await seen(lambda: tunnel.outer.transport.is_closing())
            for _ in range(20):
                tunnel.received(tunnel.inner, b"y")
            links[CLIENTS, "1"].set()
            await seen(lambda: not proxy.tunnels)

    run(test)
    assert "socket.send() raised exception" not in caplog.text


def test_a_rate_is_shared_by_all_connections_of_a_link():
    """Four connections of a quarter of a megabyte each take as long as one of a megabyte."""

    async def test() -> None:
        async with proxied() as (_, proxy, links):
            links[CLIENTS, "1"].set(rate=2e6)
            each = [await connect(proxy) for _ in range(4)]
            begun = time.monotonic()
            await asyncio.gather(*(exchanged(streams, bytes(2**18)) for streams in each))
            assert time.monotonic() - begun > 0.45

    run(test)


def test_a_large_request_passes_bit_by_bit_over_a_slow_link():
    """Its beginning comes long before its end, and its end no sooner than the rate lets it."""

    async def test() -> None:
        async with proxied() as (_, proxy, links):
            reader, writer = await connect(proxy)
            links[CLIENTS, "1"].set(rate=2e5)
            begun = time.monotonic()
            writer.write(bytes(100_000))
            await asyncio.wait_for(reader.readexactly(1), 5)
            first = time.monotonic() - begun
            await asyncio.wait_for(reader.readexactly(99_999), 10)
            assert first < 0.4
            assert time.monotonic() - begun > 0.45

    run(test)


def test_a_latency_delays_all_that_a_rate_passes_once():
    """Both at a time: what waits for its arrival does not keep the next from being sent."""

    async def test() -> None:
        async with proxied() as (_, proxy, links):
            streams = await connect(proxy)
            links[CLIENTS, "1"].set(seconds=0.3, rate=1e6)
            begun = time.monotonic()
            await exchanged(streams, bytes(500_000))
            assert 0.8 <= time.monotonic() - begun < 4  # not 0.3 s for each of 25 pieces

    run(test)


def test_a_rate_that_has_ended_holds_nothing_back():
    """What was to take an hour arrives at once when the link is mended."""

    async def test() -> None:
        async with proxied() as (_, proxy, links):
            streams = await connect(proxy)
            links[CLIENTS, "1"].set(rate=1)
            streams[1].write(b"slowly")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(streams[0].readexactly(6), 0.2)
            links[CLIENTS, "1"].set()
            assert await asyncio.wait_for(streams[0].readexactly(6), 5) == b"slowly"

    run(test)


def test_nothing_is_done_while_nothing_happens():
    """Held back or idle, no connection has a timer: a lost link costs nothing."""

    async def test() -> None:
        async with proxied() as (_, proxy, links):
            streams = await connect(proxy)
            await exchanged(streams, b"x")
            links[CLIENTS, "1"].set("lost")
            streams[1].write(b"held")
            (tunnel,) = proxy.tunnels
            await seen(lambda: tunnel.pipes[tunnel.outer].size == 4)
            assert [pipe.timer for pipe in tunnel.pipes.values()] == [None, None]

    run(test)


MODES = [("open", 0, 0), ("lost", 0, 0), ("refused", 0, 0), ("open", 0.002, 0), ("open", 0, 1e6)]


@given(seed=some.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_whatever_happens_to_a_link_bytes_keep_their_order_and_nothing_is_left(seed):
    """Random bytes, rules and ends: each client gets a beginning of what it sent, and no more."""

    async def test() -> None:
        chance = random.Random(seed)
        async with proxied(chance.choice(["CLIENT", "REPLICATION"])) as (_, proxy, links):
            tried = [Talk(await connect(proxy), chance) for _ in range(4)]
            for _ in range(40):
                chance.choice(tried).act()
                if chance.random() < 0.3:
                    ends = chance.choice([(CLIENTS, "1"), ("1", CLIENTS), ("2", "1"), ("1", "2")])
                    mode, seconds, rate = chance.choice(MODES)
                    links[ends].set(mode, seconds, rate)
                await asyncio.sleep(chance.choice([0, 0, 0.002]))
            for link in list(links.values()):
                link.set()
            for talk in tried:
                await talk.end()
            await seen(lambda: left(proxy, links) == [])
            assert connecting() == 0

    run(test)


class Talk:
    """A client that says something, and ends somehow."""

    def __init__(self, streams: Streams, chance: random.Random) -> None:
        self.reader, self.writer = streams
        self.chance, self.sent = chance, b""

    def act(self) -> None:
        """Send some bytes, Kafka or not, or end the stream, or the connection."""
        what = self.chance.random()
        if self.writer.transport.is_closing() or self.writer.transport._eof:
            return
        if what < 0.85:
            few = self.chance.randbytes(self.chance.choice([0, 1, 13, 5000, 70_000]))
            data = self.chance.choice([request("broker-2-fetcher-0"), few])
            self.sent += data
            self.writer.write(data)
        elif what < 0.95:
            with contextlib.suppress(OSError):  # it was reset a moment ago
                self.writer.write_eof()
        else:
            broken_off(self.writer)

    async def end(self) -> None:
        """End what goes on, and compare."""
        got = b""
        with contextlib.suppress(OSError):
            self.writer.close()
            self.reader.feed_eof()
            got = await self.reader.read()
        assert self.sent.startswith(got)
