"""Serve one cluster: start its nodes, answer its clients, watch its owners, end it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from eventlab.cluster import process
from eventlab.cluster.supervisor.fault import Fault, Faults
from eventlab.cluster.supervisor.owner import Owner
from eventlab.cluster.supervisor.runner import runner

TICK = 0.25  # seconds between two looks at the owners
GRACE = 4.0  # seconds without an owner until the end: a kernel restarts in less
FILES = 65_536


class Supervisor:
    """The nodes of one cluster and the processes that want it to run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.launch: dict[str, Any] = json.loads((folder / "launch.json").read_text("utf-8"))
        self.runner = runner(self.launch, folder)
        self.faults = Faults(self.runner.nodes, self.runner.links)
        self.owners: dict[int, Owner] = {}
        self.kept = False
        self.mending: set[asyncio.Task[None]] = set()
        self.ending = asyncio.Event()

    async def run(self, told: int) -> None:
        """Serve until the last owner is gone or the end is asked for; leave nothing behind."""
        self.hold(self.launch["owner"])
        self._write_state()
        server = await asyncio.start_unix_server(self._serve, "control")
        os.write(told, b"1")  # whoever started this process may ask now
        os.close(told)
        tasks = [self.runner.start(self._write_state), self._watch_owners(), self._watch_nodes()]
        doing = [asyncio.create_task(task) for task in tasks]
        await self.ending.wait()
        for task in (*doing, *self.mending):
            task.cancel()
        await asyncio.wait(doing)  # a start that was cancelled cleans up after itself
        if await self.runner.end():
            shutil.rmtree(self.folder, ignore_errors=True)
        server.close()

    async def _watch_owners(self) -> None:
        alone_since: float | None = None
        while True:
            for owner in [owner for owner in self.owners.values() if not owner.alive()]:
                await self._replace(owner)
            alone = not self.kept and not any(owner.alive() for owner in self.owners.values())
            alone_since = (alone_since or time.monotonic()) if alone else None
            if alone_since and (not self.owners or time.monotonic() - alone_since > GRACE):
                self.ending.set()
            self._mend_of_strangers()
            await asyncio.sleep(TICK)

    async def _watch_nodes(self) -> None:
        while True:
            process.cap_log(Path("supervisor.log"))
            await self.runner.look()
            await asyncio.sleep(TICK)

    async def _replace(self, owner: Owner) -> None:
        """A dead kernel that comes back within the grace keeps its cluster; others are gone."""
        reborn = process.kernel_with(owner.kernel) if owner.kernel else None
        if reborn:
            self.hold(reborn)
        if reborn or not owner.kernel or time.monotonic() - owner.died > GRACE:
            self.owners.pop(owner.pid, None)
            self._mend_of(owner.pid)

    def hold(self, pid: int) -> None:
        """Take a process as an owner; taking it twice is the same as once."""
        if pid not in self.owners or not self.owners[pid].alive():
            self.owners[pid] = Owner(pid)

    def _mend_of(self, pid: int) -> None:
        """Mend what an owner has left broken; nobody waits for it."""
        self._mend([fault for fault in self.faults.active() if fault.owner.pid == pid])

    def _mend_of_strangers(self) -> None:
        """Mend what a process has left broken that never was an owner, such as a kernel's child."""
        strangers = [f for f in self.faults.active() if f.owner.pid not in self.owners]
        self._mend([fault for fault in strangers if not fault.owner.alive()])

    def _mend(self, broken: list[Fault]) -> None:
        if broken:
            task = asyncio.create_task(self.faults.mend(broken))
            self.mending.add(task)
            task.add_done_callback(self.mending.discard)

    def _write_state(self) -> None:
        """Write what a later start needs to sweep up, should this process be killed."""
        state = {pid: process.started_at(pid) for pid in [os.getpid(), *self.runner.pids()]}
        draft = self.folder / "state.draft"
        draft.write_text(json.dumps({"supervisor": os.getpid(), "started": state}), "utf-8")
        draft.replace(self.folder / "state.json")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError), contextlib.closing(writer):
            while line := await reader.readline():
                request = json.loads(line)
                try:
                    answer = await self._answer(request.pop("do"), **request)
                except Exception as error:
                    answer = {"refused": self.runner.explain(error)}
                    if not answer["refused"]:
                        raise
                if reader.at_eof():  # whoever asked was interrupted, and holds no fault to mend
                    self._mend(self.faults.known([request.get("fault", {}).get("token")]))
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()

    async def _answer(self, do: str, **given: Any) -> dict[str, Any]:
        if do == "node":
            await self.faults.do(given["pid"], given["node_id"], given["verb"])
            self._write_state()
        elif do == "fault":
            fault = await self.faults.inject(given["pid"], given["fault"])
            return self.describe() | {"number": fault.number}
        elif do == "mend":
            await self.faults.mend(self.faults.known(given["tokens"]))
            self._write_state()
        elif do == "log":
            return {"log": await asyncio.to_thread(self.runner.nodes[given["node_id"]].log)}
        elif do == "read":
            read = await asyncio.to_thread(self.runner.nodes[given["node_id"]].read, given["path"])
            return {"read": None if read is None else base64.b64encode(read).decode()}
        elif do == "hold":
            self.hold(given["pid"])
        elif do == "release":
            self.owners.pop(given["pid"], None)
            self._mend_of(given["pid"])
        elif do == "keep":
            self.kept = True
        elif do == "end":
            self.ending.set()
        return self.describe()

    def describe(self) -> dict[str, Any]:
        """Return the state of the cluster as the client shows it."""
        told: dict[str, Any] = self.launch["told"] | self.runner.told()
        nodes, links = self.runner.nodes, self.runner.links
        return told | {
            "supervisor": os.getpid(),
            "kept": self.kept,
            "ending": self.ending.is_set(),
            "owners": sorted(pid for pid, owner in self.owners.items() if owner.alive()),
            "nodes": [
                node.describe() | {"reachable": links.reach(str(number), map(str, nodes))}
                for number, node in nodes.items()
            ],
            "faults": self.faults.describe(),
        }


def main() -> None:
    """Run the supervisor of the cluster whose folder is the argument."""
    folder = Path(sys.argv[1])
    os.chdir(folder)  # so that the socket's path is short whatever the folder is called
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _raise_limit()
    listening, told = os.pipe()
    if os.fork():  # whoever started it waits for the socket, and has no child to bury later
        os.close(told)
        os._exit(0 if os.read(listening, 1) else 1)
    asyncio.run(_serve(folder, told))


def _raise_limit() -> None:
    """Allow as many open connections as the system does, each of which is two of its files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):  # macOS tells of more than it gives
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def _serve(folder: Path, told: int) -> None:
    supervisor = Supervisor(folder)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, supervisor.ending.set)
    await supervisor.run(told)


if __name__ == "__main__":
    main()
