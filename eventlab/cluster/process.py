"""Starting a JVM that does not outlive its parent, and naming processes beyond doubt."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

MARK = "EVENTLAB_CLUSTER"  # in the environment of every JVM: the folder of its cluster

LOG = "server.log"
_LOG_CAP = 4 * 2**20  # bytes; what a chatty broker writes must not fill a disk
_PR_SET_PDEATHSIG = 1


def spawn(
    command: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a process in `folder`, its output in server.log; on Linux it dies with its parent."""
    with (folder / LOG).open("ab") as console:  # appending, so that the file can be cut short
        return subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            preexec_fn=dies_with_parent(),
        )


def cap_log(log: Path) -> None:
    """Move a log that has grown too long to *.1.log; the process goes on writing."""
    with contextlib.suppress(OSError):  # a full disk must not end whoever looks after it
        if log.stat().st_size > _LOG_CAP:
            with contextlib.suppress(OSError):
                shutil.copyfile(log, log.with_suffix(".1.log"))
            os.truncate(log, 0)


def log_text(folder: Path) -> str:
    """Return what a node has written: a few megabytes at most, older lines are gone."""
    files = [folder / name for name in ("server.1.log", LOG)]
    return "".join(f.read_text("utf-8", "replace") for f in files if f.exists())


def dies_with_parent() -> Callable[[], object] | None:
    """Return what a child has to call so that it is killed with its parent; None where none is."""
    if not sys.platform.startswith("linux"):
        return None  # elsewhere the next start sweeps what a killed supervisor left
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork, where it is safe
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def started_at(pid: int) -> float | None:
    """Return when a living process started (seconds since the epoch), or None when it is gone."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def is_same(pid: int, started: float) -> bool:
    """Say whether the process that had this pid and start time is still alive."""
    now = started_at(pid)
    return now is not None and abs(now - started) < 2  # a corrected clock moves start times


def kill_marked(pid: int, started: float, mark: str) -> bool:
    """Kill a process if pid, start time and mark agree; say whether it was ours."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if is_same(pid, started) and process.environ().get(MARK) == mark:
            process.kill()
            process.wait(5)
            return True
    return False


def kernel_file(pid: int) -> str | None:
    """Return the connection file of the Jupyter kernel that runs as `pid`, if it is one.

    A restarted kernel is a new process with the same file, which is how it is known again.
    """
    with contextlib.suppress(psutil.Error):
        return _kernel_file(psutil.Process(pid).cmdline())
    return None


def _kernel_file(cmdline: Sequence[str]) -> str | None:
    if not any("ipykernel" in argument for argument in cmdline):
        return None
    return next((argument for argument in cmdline if argument.endswith(".json")), None)


def kernel_with(file: str) -> int | None:
    """Return the pid of the living kernel with this connection file."""
    for process in psutil.process_iter(["cmdline", "status"]):
        living = process.info["status"] != psutil.STATUS_ZOMBIE
        if living and _kernel_file(process.info["cmdline"] or ()) == file:
            return int(process.pid)
    return None
