"""A process that wants the cluster to run."""

from __future__ import annotations

import contextlib
import time

import psutil

from eventlab.cluster import process


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
