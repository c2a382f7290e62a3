"""One Kafka node in a container, whoever made it: Compose or testcontainers."""

from __future__ import annotations

import asyncio
import contextlib
import io
import tarfile
import time
from collections.abc import Callable
from typing import Any

from eventlab.cluster.supervisor.link import Links
from eventlab.cluster.supervisor.node import (
    NODE_START,
    NODE_STOP,
    READ,
    described,
    ending,
)
from eventlab.cluster.supervisor.proxy import Proxy

_STOP = 8  # seconds until the engine kills what SIGTERM did not end
_TAIL = 5000  # lines of a log
_ENDED = {137: "killed", 143: "stopped", 130: "stopped", 0: "stopped"}


class Container:
    """A node by the labels of its container; `seen` is the engine's last word on it.

    It is ready when it accepts connections inside: from outside the engine accepts them for it,
    and a broker opens its listeners after the controller has unfenced it.
    """

    def __init__(self, told: dict[str, Any], engine: Any, links: Links) -> None:
        self.node_id: int = told["node_id"]
        self.roles: list[str] = told["roles"]
        self.service: str = told["service"]
        self.port: int | None = told["port"]  # of this machine, for clients; a controller has none
        at = {"name": "CLIENT", "port": told["port"], "behind": told["behind"]}
        self.proxies = [Proxy(links, str(self.node_id), at)] if self.port else []
        self.inside: int = told["inside"]  # of the container, open when the node is ready
        self.seen: dict[str, Any] | None = None
        self.ready = self.silent = False  # silent: the engine does not answer
        self.endings = self.verbs = 0  # that are under way, and that were done to it
        self._engine = engine
        self._was = False

    def see(self, told: dict[str, Any] | None) -> None:
        """Take what the engine says of it; None when it has no such container."""
        self.seen = told
        self._was = self._was or told is not None
        if told is None or told["State"]["Status"] not in ("running", "paused"):
            self.ready = False
            for proxy in self.proxies:
                proxy.close()

    @property
    def state(self) -> str:
        """Starting, running, frozen, stopped, killed, failed; removed by somebody else; unknown."""
        if self.silent:
            return "unknown"
        if self.seen is None:
            return "removed" if self._was else "starting"
        status, code = self.seen["State"]["Status"], self.seen["State"]["ExitCode"]
        if status == "paused":
            return "frozen"
        if status in ("exited", "dead", "removing"):
            return _ENDED.get(code, "failed")
        return "running" if self.ready else "starting"

    @property
    def pid(self) -> int | None:
        """The id of its process, as the engine's machine has it; None while there is none."""
        return (self.seen and self.seen["State"]["Pid"]) or None

    def describe(self) -> dict[str, Any]:
        """Return what `eventlab status --json` prints of it."""
        own = f"{self.service}:{self.inside}"  # which nobody outside reaches
        return described(self, f"127.0.0.1:{self.port}" if self.port else own)

    def log(self) -> str:
        """Return the last lines that it has written."""
        if self.seen is None:
            return ""
        written: bytes = self._engine.api.logs(self.seen["Id"], tail=_TAIL)
        return written.decode("utf-8", "replace")

    def read(self, path: str) -> bytes | None:
        """Return the first mebibyte of a file, None when there is none."""
        from docker.errors import APIError

        try:
            packed, _ = self._engine.api.get_archive(self.seen and self.seen["Id"], path)
        except APIError:
            return None
        with tarfile.open(fileobj=io.BytesIO(b"".join(packed))) as archive:
            file = archive.extractfile(archive.next() or tarfile.TarInfo())
            return file.read(READ) if file else None

    async def start(self) -> None:
        """Start the container unless it runs, thaw it, and return when its node is ready."""
        await self._until(lambda: not self.endings, 3 * NODE_STOP)
        await self._look()
        if self.seen and self.seen["State"]["Status"] in ("exited", "created"):
            await self._ask(self._engine.api.start)
        await self.thaw()
        await self.get_ready()

    async def get_ready(self) -> None:
        """Return when the node accepts connections, or has ended."""
        end = time.monotonic() + NODE_START
        while self.state == "starting" and time.monotonic() < end:
            accepts = await asyncio.to_thread(self._accepts)
            await self._look()
            if accepts:
                for proxy in self.proxies:
                    await proxy.open()
                self.ready = self.pid is not None  # last: who is told so connects at once
            await asyncio.sleep(0 if accepts else 0.05)

    def _accepts(self) -> bool:
        from docker.errors import APIError

        probe = ["bash", "-c", f"</dev/tcp/127.0.0.1/{self.inside}"]
        try:
            made = self._engine.api.exec_create(self.seen and self.seen["Id"], probe)
            self._engine.api.exec_start(made["Id"])
            return bool(self._engine.api.exec_inspect(made["Id"])["ExitCode"] == 0)
        except APIError:  # it has just ended, or was frozen
            return False

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that did not end it in time."""
        with ending(self):
            await self.thaw()  # a frozen process cannot act on SIGTERM
            await self._ask(self._engine.api.stop, timeout=_STOP)

    async def kill(self) -> None:
        """SIGKILL."""
        with ending(self):
            await self._ask(self._engine.api.kill, "SIGKILL")
            await self.thaw()  # the kernel lets a frozen group die when it is thawed
            await self._until(lambda: self.pid is None, NODE_STOP)

    async def freeze(self) -> None:
        """Halt all its processes, as SIGSTOP halts one (the engine's `pause`)."""
        await self._ask(self._engine.api.pause)

    async def thaw(self) -> None:
        """Let them go on."""
        if self.state == "frozen":
            await self._ask(self._engine.api.unpause)

    async def _ask(self, verb: Callable[..., object], *args: object, **given: object) -> None:
        """Do a verb of the engine to it; one that does not fit its state does nothing."""
        from docker.errors import APIError

        if self.seen is None:
            return
        self.verbs += 1
        with contextlib.suppress(APIError):
            await asyncio.to_thread(verb, self.seen["Id"], *args, **given)
        await self._look()
        self.verbs += 1

    async def _until(self, condition: Callable[[], bool], within: float) -> None:
        end = time.monotonic() + within
        while not condition() and time.monotonic() < end:
            await asyncio.sleep(0.02)
            await self._look()

    async def _look(self) -> None:
        if self.seen:
            self.see(await asyncio.to_thread(inspect, self._engine, self.seen["Id"]))


def inspect(engine: Any, container: str) -> dict[str, Any] | None:
    """Return what the engine knows of a container, None when there is none."""
    from docker.errors import NotFound

    try:
        told: dict[str, Any] = engine.api.inspect_container(container)
    except NotFound:
        return None
    return told
