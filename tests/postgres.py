"""A real PostgreSQL server, in a folder and on a port of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

USER = "postgres"  # the server refuses to run as root


def programs() -> Path | None:
    """Return the folder of the newest server of Debian, or of the one that pg_config tells of."""
    for folder in [*_debian(), *_told()]:
        if (folder / "postgres").exists():  # a client alone has a pg_config as well
            return folder
    return None


def _debian() -> list[Path]:
    found = Path("/usr/lib/postgresql").glob("*/bin")
    return sorted(found, key=lambda folder: int(folder.parent.name), reverse=True)


def _told() -> list[Path]:
    if not shutil.which("pg_config"):
        return []
    command = ["pg_config", "--bindir"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=10)
    return [Path(told.stdout.strip())]


@contextmanager
def server() -> Iterator[str]:
    """Run a server on the loopback interface; give the address of an empty database."""
    folder = Path(tempfile.mkdtemp(prefix="eventlab-postgres-"))
    try:
        data, port = folder / "data", _free_port()
        if os.geteuid() == 0:
            shutil.chown(folder, USER)
        _run("initdb", f"--pgdata={data}", f"--username={USER}", "--auth=trust", "--no-sync")
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(f"listen_addresses = '127.0.0.1'\nport = {port}\n")
            settings.write(f"unix_socket_directories = '{folder}'\n")
        _start(data)
        try:
            yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        finally:
            _stop(data)
    finally:
        shutil.rmtree(folder)


@contextmanager
def stopped(url: str) -> Iterator[None]:
    """Stop a server, as a crash does, and start it again when the block ends."""
    with psycopg.connect(url) as db:
        [data] = db.execute("SHOW data_directory").fetchone()
    _stop(Path(data))
    try:
        yield
    finally:
        _start(Path(data))


def _start(data: Path) -> None:
    _run("pg_ctl", f"--pgdata={data}", "--wait", f"--log={data.parent / 'log'}", "start")


def _stop(data: Path) -> None:
    _run("pg_ctl", f"--pgdata={data}", "--wait", "--mode=immediate", "stop")


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
