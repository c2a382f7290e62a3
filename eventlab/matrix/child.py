"""A client in a process of its own, which can be killed or frozen as brokers are."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from eventlab.cluster import process
from eventlab.errors import NeverHappened
from eventlab.history.tables import ASSIGN, COMMIT
from eventlab.matrix import journal
from eventlab.waiting import wait_until


class Child:
    """A process that runs a module of the matrix with a task; it never outlives this one."""

    def __init__(self, module: str, name: str, folder: Path, **task: Any) -> None:
        self.name, self.journal, self._log = name, folder / f"{name}.jsonl", folder / f"{name}.log"
        told = json.dumps({"name": name, "journal": str(self.journal), **task})
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"eventlab.matrix.{module}", told],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # an interrupt at the keyboard is not for it
                preexec_fn=process.dies_with_parent(),
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def state(self) -> str:
        """One of running, frozen, ended, killed, failed."""
        code = self._process.poll()
        if code is not None:
            return {0: "ended", -signal.SIGKILL: "killed"}.get(code, "failed")
        stopped = psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
        return "frozen" if stopped else "running"

    def wait_for(self, state: str, within: float = 30) -> None:
        """Return when the process is in this state; NeverHappened when it is not in time."""
        wait_until(lambda: self._is(state), within, lambda: f"{self.name} is {self.state}.")

    def _is(self, state: str) -> bool:
        self.check()
        return self.state == state

    def check(self) -> None:
        """Raise NeverHappened, with the end of what it wrote, when the process has failed."""
        if self.state == "failed":
            raise NeverHappened(
                f"The client {self.name} failed.",
                " ".join(self._log.read_text("utf-8", "replace").split())[-300:],
                "Play the row again with the seed that was printed.",
            )

    def commits(self) -> list[tuple[int, int]]:
        """Return offset and outcome of each commit that its journal has."""
        return [(told[3], told[1]) for told in self._noted("_event") if told[0] == COMMIT]

    def acknowledged(self) -> int:
        """Return how many of its sends were acknowledged, by its journal."""
        return len(self._noted("acked"))

    def assignments(self) -> int:
        """Return how often it got a partition, by its journal."""
        return sum(told[0] == ASSIGN and bool(told[1]) for told in self._noted("_own"))

    def _noted(self, name: str) -> list[list[Any]]:
        return [call[1:] for call in journal.entries(self.journal) if call[0] == name]

    def say(self, word: str) -> None:
        """Say a word to it: "go" when it waits for one, "end" to end in order."""
        assert self._process.stdin
        self._process.stdin.write(f"{word}\n".encode())
        self._process.stdin.flush()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> None:
        """Let it end in order unless it was killed; NeverHappened when it does not."""
        if self.state == "killed":
            return
        self.check()
        self.say("end")
        self.wait_for("ended")

    def kill(self) -> None:
        """SIGKILL it, whatever it is doing; nothing when it has ended."""
        self._process.kill()
        self._process.wait(10)
        assert self._process.stdin
        self._process.stdin.close()
