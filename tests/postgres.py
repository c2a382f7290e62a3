"""A real PostgreSQL server, from Debian's package, in a folder and on a port of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "postgres"  # the server refuses to run as root


def programs() -> Path | None:
    """Return the folder of the newest server that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_version)
    return found[-1].parent if found else None


def _version(program: Path) -> int:
    return int(program.parts[-3])


@contextmanager
def server() -> Iterator[str]:
    """Run a server on the loopback interface; give the address of an empty database."""
    folder = Path(tempfile.mkdtemp(prefix="eventlab-postgres-"))
    try:
        data, port = folder / "data", _free_port()
        if os.geteuid() == 0:
            shutil.chown(folder, USER)
        _run("initdb", f"--pgdata={data}", f"--username={USER}", "--auth=trust", "--no-sync")
        settings = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder}"
        start = ["pg_ctl", f"--pgdata={data}", "--wait", f"--log={folder / 'log'}"]
        _run(*start, f"--options={settings}", "start")
        try:
            yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        finally:
            _run("pg_ctl", f"--pgdata={data}", "--wait", "--mode=immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _run(program: str, *arguments: str) -> None:
    there = programs()
    assert there
    as_user = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run(
        [there / program, *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=60,
        **as_user,
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
