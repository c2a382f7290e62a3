"""The process that owns the JVMs of one cluster, and ends them with the last of its owners.

Jupyter signals a kernel's whole process group: "Interrupt" would kill brokers that a kernel had
started itself, "Restart" would leak them. So they belong to this process, in a session of its own.
It takes one JSON object a line on the Unix socket `control` in the cluster's folder, answers with
one, and watches its owners: kernels, JupyterLab, a test run.

    python -m eventlab.cluster.supervisor FOLDER

Standard library and psutil only: it starts in 0.1 s, and 0.1 s is what a start notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from eventlab.cluster import process

TICK = 0.25  # seconds between two looks at the owners
GRACE = 4.0  # seconds without an owner until the end: a kernel restarts in less
NODE_START = 120.0  # seconds; whoever asked for the start has a shorter deadline of its own
NODE_STOP = 10.0
_ENDED = {-signal.SIGKILL: "killed", -signal.SIGTERM: "stopped", 143: "stopped", 0: "stopped"}
END = 5.0  # seconds that brokers get to leave the cluster in order


class Node:
    """One JVM: its command, its folder, and its process once it was started."""

    def __init__(self, told: dict[str, Any], folder: Path, environ: dict[str, str]) -> None:
        self.node_id: int = told["node_id"]
        self.roles: list[str] = told["roles"]
        self.port: int = told["port"] or told["controller_port"]
        self.command: list[str] = told["command"]
        self.folder, self.environ = folder, environ
        self.process: subprocess.Popen[bytes] | None = None
        self.ready = False

    @property
    def state(self) -> str:
        """Starting, running, frozen, stopped (SIGTERM), killed (SIGKILL) or failed."""
        if self.process is None:
            return "stopped"
        code = self.process.poll()
        return self._living_state() if code is None else _ENDED.get(code, "failed")

    def _living_state(self) -> str:
        with contextlib.suppress(psutil.Error):
            if psutil.Process(self.pid).status() == psutil.STATUS_STOPPED:
                return "frozen"
        return "running" if self.ready else "starting"

    @property
    def pid(self) -> int | None:
        """The process id while there is a process."""
        alive = self.process is not None and self.process.poll() is None
        return self.process.pid if self.process and alive else None

    def describe(self) -> dict[str, Any]:
        """Return what `eventlab status --json` prints of it."""
        return {
            "node_id": self.node_id,
            "role": "+".join(self.roles),
            "state": self.state,
            "pid": self.pid,
            "address": f"127.0.0.1:{self.port}",
        }

    async def start(self) -> None:
        """Start the JVM unless it lives, and return when it accepts connections."""
        if self.pid is None:
            self.ready = False
            self.process = process.spawn(self.command, self.folder, self.environ)
        await self.thaw()
        end = time.monotonic() + NODE_START
        while not self.ready and self.pid and time.monotonic() < end:
            self.ready = await self._accepts()
            await asyncio.sleep(0 if self.ready else 0.02)

    async def _accepts(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def stop(self, within: float = NODE_STOP) -> None:
        """SIGTERM, and SIGKILL when that did not end it in time."""
        self._signal(signal.SIGCONT)  # a frozen process cannot act on SIGTERM
        self._signal(signal.SIGTERM)
        await self._ended(within)
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)
        await self._ended(NODE_STOP)

    async def freeze(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    async def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self.process and self.pid:  # our own child, not reaped yet: the pid cannot be another's
            self.process.send_signal(number)

    async def _ended(self, within: float) -> None:
        end = time.monotonic() + within
        while self.pid and time.monotonic() < end:
            await asyncio.sleep(0.01)


class Supervisor:
    """The nodes of one cluster and the processes that want it to run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.launch: dict[str, Any] = json.loads((folder / "launch.json").read_text("utf-8"))
        self.nodes = {
            told["node_id"]: Node(told, folder / f"node-{told['node_id']}", self.launch["environ"])
            for told in self.launch["nodes"]
        }
        nodes = self.nodes.values()
        self.controllers = [node for node in nodes if "controller" in node.roles]
        self.brokers = [node for node in nodes if "controller" not in node.roles]
        self.owners: dict[int, Owner] = {}
        self.kept = False
        self.ending = asyncio.Event()

    async def run(self, told: int) -> None:
        """Serve until the last owner is gone or the end is asked for; leave nothing behind."""
        self.hold(self.launch["owner"])
        self._write_state()
        server = await asyncio.start_unix_server(self._serve, "control")
        os.write(told, b"1")  # whoever started this process may ask now
        os.close(told)
        starting = asyncio.create_task(self._start())
        watching = asyncio.create_task(self._watch_owners())
        await self.ending.wait()
        starting.cancel()
        watching.cancel()
        await self._end()
        shutil.rmtree(self.folder, ignore_errors=True)
        server.close()

    async def _start(self) -> None:
        # Brokers register with the controller; before it listens they would only burn CPU.
        for wave in (self.controllers, self.brokers):
            starts = [asyncio.create_task(node.start()) for node in wave]
            await asyncio.sleep(0)
            self._write_state()
            await asyncio.gather(*starts)

    async def _end(self) -> None:
        """Brokers first: they need the controller to leave, and hang for minutes without it."""
        for controller in self.controllers:
            await controller.thaw()
        alone = not any(controller.pid for controller in self.controllers)
        await asyncio.gather(*(n.kill() if alone else n.stop(END) for n in self.brokers))
        await asyncio.gather(*(controller.stop(END) for controller in self.controllers))

    async def _watch_owners(self) -> None:
        alone_since: float | None = None
        while True:
            for owner in [owner for owner in self.owners.values() if not owner.alive()]:
                await self._replace(owner)
            alone = not self.kept and not any(owner.alive() for owner in self.owners.values())
            alone_since = (alone_since or time.monotonic()) if alone else None
            if alone_since and (not self.owners or time.monotonic() - alone_since > GRACE):
                self.ending.set()
            for node in self.nodes.values():
                process.cap_log(node.folder)
            await asyncio.sleep(TICK)

    async def _replace(self, owner: Owner) -> None:
        """A dead kernel that comes back within the grace keeps its cluster; others are gone."""
        reborn = process.kernel_with(owner.kernel) if owner.kernel else None
        if reborn:
            self.hold(reborn)
        if reborn or not owner.kernel or time.monotonic() - owner.died > GRACE:
            self.owners.pop(owner.pid, None)

    def hold(self, pid: int) -> None:
        """Take a process as an owner; taking it twice is the same as once."""
        if pid not in self.owners or not self.owners[pid].alive():
            self.owners[pid] = Owner(pid)

    def _write_state(self) -> None:
        """Write what a later start needs to sweep up, should this process be killed."""
        pids = [pid for node in self.nodes.values() if (pid := node.pid)]
        state = {pid: process.started_at(pid) for pid in [os.getpid(), *pids]}
        draft = self.folder / "state.draft"
        draft.write_text(json.dumps({"supervisor": os.getpid(), "started": state}), "utf-8")
        draft.replace(self.folder / "state.json")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                request = json.loads(line)
                answer = await self._answer(request.pop("do"), **request)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def _answer(self, do: str, **given: Any) -> dict[str, Any]:
        if do == "node":
            node = self.nodes[given["node_id"]]
            await getattr(node, given["verb"])()
            self._write_state()
        elif do == "hold":
            self.hold(given["pid"])
        elif do == "release":
            self.owners.pop(given["pid"], None)
        elif do == "keep":
            self.kept = True
        elif do == "end":
            self.ending.set()
        return self.describe()

    def describe(self) -> dict[str, Any]:
        """Return the state of the cluster as the client shows it."""
        told: dict[str, Any] = self.launch["told"]
        return told | {
            "supervisor": os.getpid(),
            "kept": self.kept,
            "ending": self.ending.is_set(),
            "owners": sorted(pid for pid, owner in self.owners.items() if owner.alive()),
            "nodes": [node.describe() for node in self.nodes.values()],
        }


class Owner:
    """A process that wants the cluster to run, and the kernel it is, if it is one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.kernel = process.kernel_file(pid)
        self.died = 0.0
        try:
            self._process: psutil.Process | None = psutil.Process(pid)
        except psutil.NoSuchProcess:
            self._process = None

    def alive(self) -> bool:
        """Say whether it still runs; a zombie does not, and a new process of its pid is not it."""
        with contextlib.suppress(psutil.Error):
            found = self._process
            if found and found.is_running() and found.status() != psutil.STATUS_ZOMBIE:
                return True
        self.died = self.died or time.monotonic()
        return False


def main() -> None:
    """Run the supervisor of the cluster whose folder is the argument."""
    folder = Path(sys.argv[1])
    os.chdir(folder)  # so that the socket's path is short whatever the folder is called
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    listening, told = os.pipe()
    if os.fork():  # whoever started it waits for the socket, and has no child to bury later
        os.close(told)
        os._exit(0 if os.read(listening, 1) else 1)
    asyncio.run(_serve(folder, told))


async def _serve(folder: Path, told: int) -> None:
    supervisor = Supervisor(folder)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, supervisor.ending.set)
    await supervisor.run(told)


if __name__ == "__main__":
    main()
