"""Talking to a supervisor: one JSON object a line on the socket `control` in its folder."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from eventlab import errors
from eventlab.errors import ClusterNotRunning
from eventlab.waiting import Deadline

_LONGEST = 100  # bytes of a Unix socket's path that every system takes


def ask(folder: Path, do: str, within: float = 10, **given: Any) -> dict[str, Any]:
    """Send one request and return the answer, the state of the cluster afterwards.

    ClusterNotRunning when nobody answers in time; what the supervisor was refused is raised here.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            _send(connection, folder, within, do, given)
            with connection.makefile("rb") as answers:
                answer = answers.readline()
    except TimeoutError:
        raise ClusterNotRunning(
            f"The cluster '{folder.name}' does not answer.",
            f"It was awaited for {within:g} seconds.",
            f"Try again, or end it: `eventlab down --name {folder.name}`.",
        ) from None
    except OSError as error:
        raise not_running(folder.name, str(error)) from None
    if not answer:
        raise not_running(folder.name, "its supervisor hung up")
    state: dict[str, Any] = json.loads(answer)
    if refused := state.get("refused"):
        kind, *sentences = refused
        raise getattr(errors, kind)(*sentences)
    return state


def tell(folder: Path, do: str, **given: Any) -> None:
    """Send one request and do not wait for what comes of it, if anybody is there to hear it."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        _send(connection, folder, 1, do, given)


def _send(
    connection: socket.socket, folder: Path, within: float, do: str, given: dict[str, Any]
) -> None:
    connection.settimeout(Deadline(within).left)
    _connect(connection, folder)
    connection.sendall(json.dumps({"do": do, **given}).encode() + b"\n")


def _connect(connection: socket.socket, folder: Path) -> None:
    path = folder / "control"
    if len(os.fsencode(path)) <= _LONGEST or not sys.platform.startswith("linux"):
        connection.connect(str(path))
        return
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:  # Linux gives an open folder a short name
        connection.connect(f"/proc/self/fd/{descriptor}/control")
    finally:
        os.close(descriptor)


def not_running(name: str, why: str) -> ClusterNotRunning:
    """Return the error for a cluster that is not there (any more)."""
    return ClusterNotRunning(
        f"The cluster '{name}' is not running.",
        f"Asking it gave: {why}.",
        "Start one with Cluster.start(), or with `eventlab up`.",
    )
