"""What a client in a process of its own has in common: its task, and what its parent says."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import Any

from eventlab.cluster import clients


class Parent:
    """What the parent process says on standard input; without a parent the process ends."""

    def __init__(self) -> None:
        self._go, self._end = threading.Event(), threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def ends(self) -> bool:
        """Whether it is time to end in order."""
        return self._end.is_set()

    def wait(self) -> None:
        """Return when the parent says "go"."""
        self._go.wait()
        self._go.clear()

    def _listen(self) -> None:
        for line in sys.stdin:
            (self._go if line.strip() == "go" else self._end).set()
        if not self.ends:
            os._exit(1)


def task() -> dict[str, Any]:
    """Return what the process is to do, from its only argument."""
    clients.quiet()
    given: dict[str, Any] = json.loads(sys.argv[1])
    return given


class Script:
    """What happens to the process after so many records: it is killed or frozen, or stalls."""

    def __init__(self, parent: Parent, then: str = "", after: int = 0) -> None:
        self._parent, self._then, self._left = parent, then, after

    def __call__(self) -> None:
        """Count one record."""
        self._left -= 1
        if self._left or not self._then:
            return
        if self._then == "stalls":
            self._parent.wait()
        else:
            os.kill(os.getpid(), {"dies": signal.SIGKILL, "freezes": signal.SIGSTOP}[self._then])
