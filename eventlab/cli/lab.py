"""`eventlab lab` and `fetch`: JupyterLab on the lessons, with a cluster beside it."""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import eventlab
from eventlab.bundled import bundled
from eventlab.cluster import launch
from eventlab.cluster.nodes import free_ports, is_free
from eventlab.cluster.settings import Settings
from eventlab.errors import PortInUse

FIRST = "00_first_light.ipynb"
SETTINGS = Path(eventlab.__file__).with_name("jupyter")


def fetch(options: argparse.Namespace) -> None:
    """Fetch and prepare what a start needs, so that later ones work offline."""
    if launch.is_ready_to_start():
        print("Everything is there: this machine can work offline.", file=sys.stderr)
        return
    runtime, kafka, made = launch.requirements()
    print(f"Java {runtime.version}: {runtime.home}", file=sys.stderr)
    print(
        f"Kafka {kafka.version}: {len(kafka.jars)} jars in {kafka.jars[0].parent}", file=sys.stderr
    )
    print(f"Start-up cache: {made.cache or 'none; starts take longer'}", file=sys.stderr)


def lab(options: argparse.Namespace) -> None:
    """Become JupyterLab, after sending off a process that starts the cluster for it.

    A cluster that others run (EVENTLAB_BACKEND=external) is met by the first cell that asks for it.
    """
    port = _port(options.port)
    given = os.environ.get("JUPYTER_TOKEN")
    notebooks = workspace()
    backend = Settings().resolved().backend
    if backend == "embedded" and not launch.is_ready_to_start():
        launch.requirements()
    token = given or secrets.token_hex(24)
    secret = "" if given else f"?token={token}"  # who gave it knows it
    print(f"JupyterLab: http://127.0.0.1:{port}/lab/tree/{FIRST}{secret}", flush=True)
    # This process becomes JupyterLab and keeps its pid, so the cluster lives as long as it does.
    if backend != "external":
        up = [sys.executable, "-m", "eventlab", "up", "--owner", str(os.getpid())]
        subprocess.Popen(up, stdout=sys.stderr)
    os.environ["JUPYTER_TOKEN"] = token  # not an argument: `ps` shows those to everybody
    paths = [str(SETTINGS), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(paths)
    chosen = _jupyterlab(notebooks, options.host, port, options.no_browser)
    os.execv(sys.executable, [sys.executable, *chosen])  # noqa: S606 - an argument list, no shell


def _jupyterlab(notebooks: Path, host: str, port: int, no_browser: bool) -> list[str]:
    chosen = {
        "ServerApp.root_dir": notebooks,
        "ServerApp.ip": host,
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.allow_root": True,  # a container or a class machine often has no other user
        "ServerApp.answer_yes": True,  # one Ctrl-C ends it, and with it the cluster
        "LabApp.default_url": f"/lab/tree/{FIRST}",
        "LabApp.check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
    }
    options = [f"--{key}={value}" for key, value in chosen.items()]
    return ["-m", "jupyterlab", *options, *(["--no-browser"] if no_browser else [])]


def workspace() -> Path:
    """Return the folder with the notebooks: a checkout's own, or copies in the current folder.

    Copies go into `notebooks` and `data` of the current folder; what is there already is kept.
    """
    notebooks = bundled("notebooks")
    if notebooks.parent == Path(eventlab.__file__).parent.parent:
        return notebooks
    for name in ("notebooks", "data"):
        _copy_missing(bundled(name), Path.cwd() / name)
    return Path.cwd() / "notebooks"


def _copy_missing(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for path in source.iterdir():
        if not (target / path.name).exists():
            shutil.copyfile(path, target / path.name)


def _port(asked: int | None) -> int:
    if asked is None:
        return next(free_ports(Settings()))
    if not (0 < asked < 65536 and is_free(asked)):
        raise PortInUse(
            "JupyterLab cannot listen on this port.",
            f"You gave {asked}, which is taken or not a port.",
            "Use another --port, or leave it out to get a free one.",
        )
    return asked
