"""One JVM of a cluster, and the proxies in front of its listeners."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from eventlab.cluster import process
from eventlab.cluster.supervisor.link import Links
from eventlab.cluster.supervisor.proxy import Proxy

NODE_START = 120.0  # seconds; whoever asked for the start has a shorter deadline of its own
NODE_STOP = 10.0
READ = 2**20  # bytes of a file that are told
_LOOK = 1.0  # seconds for a connection to a JVM: one that is frozen may leave it hanging
_ENDED = {-signal.SIGKILL: "killed", -signal.SIGTERM: "stopped", 143: "stopped", 0: "stopped"}


class Node:
    """One JVM: its command, its folder, its proxies, and its process once it was started."""

    def __init__(
        self, told: dict[str, Any], folder: Path, environ: dict[str, str], links: Links
    ) -> None:
        self.node_id: int = told["node_id"]
        self.roles: list[str] = told["roles"]
        self.port: int = told["listeners"][0]["port"]
        self.proxies = [Proxy(links, str(self.node_id), at) for at in told["listeners"]]
        self.command: list[str] = told["command"]
        self.folder, self.environ = folder, environ
        self.process: subprocess.Popen[bytes] | None = None
        self.ready = False
        self.retired = False  # the cluster ends: no start any more
        self.endings = 0  # that are under way

    @property
    def state(self) -> str:
        """Starting, running, frozen, stopped (SIGTERM), killed (SIGKILL) or failed."""
        if self.process is None:
            return "stopped"
        code = self.process.poll()
        return self._living_state() if code is None else _ENDED.get(code, "failed")

    def _living_state(self) -> str:
        if self.pid and _is_stopped(self.pid):
            return "frozen"
        return "running" if self.ready else "starting"

    @property
    def pid(self) -> int | None:
        """The process id while there is a process."""
        alive = self.process is not None and self.process.poll() is None
        return self.process.pid if self.process and alive else None

    def describe(self) -> dict[str, Any]:
        """Return what `eventlab status --json` prints of it."""
        return described(self, f"127.0.0.1:{self.port}")

    def log(self) -> str:
        """Return what it has written, the last few megabytes at most."""
        return process.log_text(self.folder)

    def read(self, path: str) -> bytes | None:
        """Return the first mebibyte of a file, None when there is none."""
        try:
            with Path(path).open("rb") as file:
                return file.read(READ)
        except OSError:
            return None

    async def start(self) -> None:
        """Start the JVM unless it lives, thaw it, and return when it accepts connections."""
        await _until(lambda: not self.endings, 3 * NODE_STOP)  # what lives still will not soon
        if self.pid is None and not self.retired:
            self.close_when_gone()
            self.ready = False
            self.process = process.spawn(self.command, self.folder, self.environ)
        await self.thaw()
        await asyncio.gather(*(self._open(proxy) for proxy in self.proxies))
        self.ready = self.pid is not None

    async def _open(self, proxy: Proxy) -> None:
        """Let connections in as soon as the JVM does: voters must reach each other to get ready."""
        end = time.monotonic() + NODE_START
        while self.pid and time.monotonic() < end and not proxy.is_open:
            if await _accepts(proxy.behind):
                await proxy.open()
                return
            await asyncio.sleep(0.02)

    def close_when_gone(self) -> None:
        """Refuse connections when the JVM is gone, whoever ended it."""
        if self.pid is None:
            for proxy in self.proxies:
                proxy.close()

    async def stop(self, within: float = NODE_STOP) -> None:
        """SIGTERM, and SIGKILL when that did not end it in time."""
        with ending(self):
            self._signal(signal.SIGCONT)  # a frozen process cannot act on SIGTERM
            self._signal(signal.SIGTERM)
            await _until(lambda: self.pid is None, within)
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL."""
        with ending(self):
            self._signal(signal.SIGKILL)
            await _until(lambda: self.pid is None, NODE_STOP)
            self.close_when_gone()

    async def freeze(self) -> None:
        """SIGSTOP; returns when no thread runs any more, which a busy machine takes a while for."""
        self._signal(signal.SIGSTOP)
        await _until(lambda: not self.pid or _is_stopped(self.pid), NODE_STOP, every=0.001)

    async def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self.process and self.pid:  # our own child, not reaped yet: the pid cannot be another's
            self.process.send_signal(number)


def described(node: Any, address: str) -> dict[str, Any]:
    """Return a node's part of `eventlab status --json`."""
    role = "+".join(node.roles)
    told = {"node_id": node.node_id, "role": role, "state": node.state, "pid": node.pid}
    return told | {"address": address}


@contextlib.contextmanager
def ending(node: Any) -> Iterator[None]:
    """Count an ending that is under way: a start waits for it."""
    node.endings += 1
    try:
        yield
    finally:
        node.endings -= 1


async def _until(condition: Callable[[], bool], within: float, every: float = 0.01) -> None:
    """Return when the condition holds, or the time is over."""
    end = time.monotonic() + within
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(every)


def _is_stopped(pid: int) -> bool:
    """Say whether a child is stopped: by waitid when all its threads are, else by its first one."""
    with contextlib.suppress(psutil.Error, ChildProcessError):  # it has ended meanwhile
        if hasattr(os, "waitid"):  # macOS has it from Python 3.13 on
            told = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
            return told is not None
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    return False


async def _accepts(port: int) -> bool:
    try:
        async with asyncio.timeout(_LOOK):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
