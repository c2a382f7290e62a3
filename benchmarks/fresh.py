"""From a clone and an empty home to the first record read in lesson 00, and the second start.

Measured: `./lab` in a fresh clone with HOME in an empty folder: it installs the packages, fetches
Kafka, prepares quick starts, starts the cluster and JupyterLab. A kernel is then asked of that
JupyterLab, as a browser asks for it, and runs lesson 00 cell by cell until a record was read.
After the end of it all `./lab` is started again, until JupyterLab answers and all nodes run.
Fair: nothing of this machine's caches is used but the system's own; what a person takes to read
and to click is not counted. The stages are told on stderr as they are reached.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import figures
from figures import Figure, Numbers
from jupyter_client.blocking.client import BlockingKernelClient

from eventlab.cli import checkout
from eventlab.cli.lab import FIRST
from eventlab.errors import ClusterNotRunning, StartFailed
from eventlab.waiting import Deadline, wait_until

LAST_CELL = "first-read"  # the id of the cell that reads the first record
GOALS = {"fresh": 60.0, "second": 8.0}
TITLES = {
    "fresh": "fresh machine, ./lab to the first record read",
    "second": "second ./lab, to JupyterLab and the cluster ready",
}
PATIENCE = 600.0
# Of the environment only what finds programs and the network, not what leads to caches.
_KEPT = re.compile(r"PATH|LANG|LC_\w+|TZ|PIP_\w+|UV_\w+|SSL_\w+|\w*_(?:proxy|PROXY|CA_BUNDLE)")


def measure(runs: int) -> list[Figure]:
    why_not = missing()
    if why_not:
        figures.tell(f"Not measured: {why_not}")
        return [Figure(title, None, "s", GOALS[name]) for name, title in TITLES.items()]
    seen = figures.interleaved(runs, fresh=fresh_run)["fresh"]
    stages = {name: figures.median(seen, name) for run in seen for name in run}
    return [
        *(
            Figure(f"  by then: {name}", seconds, "s")
            for name, seconds in sorted(stages.items(), key=lambda stage: stage[1] or 0)
            if name not in GOALS
        ),
        *(Figure(TITLES[name], figures.median(seen, name), "s", GOALS[name]) for name in GOALS),
    ]


def missing() -> str | None:
    """Say what a clone of this checkout would lack; None when it has all that is needed."""
    listed = subprocess.run(
        ["git", "ls-files", "lab", f"notebooks/{FIRST}"],
        cwd=checkout.root(),
        capture_output=True,
        text=True,
        timeout=Deadline(10).seconds,
    )
    if listed.returncode:
        return "this is no git checkout."
    absent = {"lab", f"notebooks/{FIRST}"} - set(listed.stdout.splitlines())
    return f"{', '.join(sorted(absent))} is not committed." if absent else None


def fresh_run() -> Numbers:
    """Go from nothing to the first record; end all; start once more."""
    with machine() as home:
        begun = time.monotonic()
        clone = home / "eventlab"
        subprocess.run(["git", "clone", "--quiet", checkout.root(), clone], check=True, timeout=60)
        stages = {"cloned": time.monotonic() - begun}
        with lab(home, begun) as jupyter:
            stages |= {"JupyterLab answers": answering(jupyter, begun)}
            read_first_record(jupyter, home, clone)
            total = time.monotonic() - begun
        wait_until(lambda: not nodes_running(home), 60, "The cluster outlived JupyterLab.")
        begun = time.monotonic()
        with lab(home, begun) as again:
            answering(again, begun)
            wait_until(lambda: nodes_running(home), 120, "The nodes do not run.", every=0.1)
            second = time.monotonic() - begun
    return {**stages, **jupyter.stages, "fresh": total, "second": second}


@contextmanager
def machine() -> Iterator[Path]:
    """Make a home that knows nothing; end what runs in it, and remove it."""
    home = Path(tempfile.mkdtemp(prefix="eventlab-bench-"))
    try:
        yield home
    finally:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            run_lab(home, "down", "--all")
        shutil.rmtree(home, ignore_errors=True)


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a person who has never used eventlab, Jupyter or pip."""
    kept = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
    return kept | {"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home / "runtime")}


def run_lab(home: Path, *arguments: str) -> str:
    """Run a command of the front door; return what it printed."""
    done = subprocess.run(
        [str(home / "eventlab" / "lab"), *arguments],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=Deadline(60).seconds,
    )
    return done.stdout


def nodes_running(home: Path) -> bool:
    """Say whether the cluster is there with all its nodes."""
    state = json.loads(run_lab(home, "status", "--json") or "{}")
    nodes = state.get("nodes", [])
    return bool(nodes) and all(node["state"] == "running" for node in nodes)


@dataclass
class Lab:
    """A running `./lab`: the URL it printed, and when it said what."""

    process: subprocess.Popen[str]
    begun: float
    url: str = ""
    said: list[str] = field(default_factory=list)
    stages: Numbers = field(default_factory=dict)

    def listen(self, stream: IO[str]) -> None:
        """Note the time of each line that tells of a stage done, and the URL."""
        for line in stream:
            self.said.append(line)
            stage = re.match(r"(?:\[\d/\d\] )?([^:\[]+): (?:done in )?\d[\d.]* s", line.strip())
            if stage:
                self.stages[stage[1]] = time.monotonic() - self.begun
            if line.startswith("JupyterLab: "):
                self.url = line.partition(" ")[2].strip()

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask JupyterLab's own interface; None while it does not answer."""
        parts = urllib.parse.urlsplit(self.url)
        [token] = urllib.parse.parse_qs(parts.query)["token"]
        request = urllib.request.Request(
            f"http://{parts.netloc}/{path}",
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            return None


@contextmanager
def lab(home: Path, begun: float) -> Iterator[Lab]:
    """Start `./lab`, listen to it, end it as closing the terminal would."""
    started = subprocess.Popen(
        [str(home / "eventlab" / "lab"), "lab", "--no-browser"],
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    running = Lab(started, begun)
    for stream in (started.stdout, started.stderr):
        threading.Thread(target=running.listen, args=(stream,), daemon=True).start()
    try:
        yield running
    finally:
        end(started)


def end(process: subprocess.Popen[str]) -> None:
    """Ask a process and its group to end, and see to it."""
    for number, patience in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(Deadline(patience).seconds)
            return


def answering(running: Lab, begun: float) -> float:
    """Return the seconds until JupyterLab has printed its URL and answers."""

    def answers() -> bool:
        if running.process.poll() is not None:
            tail = "".join(running.said[-20:]).strip()
            raise StartFailed("./lab ended.", f"It says: {tail}", "Try it by hand.", tail)
        return bool(running.url) and running.ask("api/status") is not None

    wait_until(answers, PATIENCE, lambda: f"./lab only said: {''.join(running.said)}", every=0.05)
    return time.monotonic() - begun


def read_first_record(running: Lab, home: Path, clone: Path) -> None:
    """Open lesson 00 in JupyterLab and run its cells until the first record was read."""
    told = {"path": FIRST, "name": FIRST, "type": "notebook", "kernel": {"name": "python3"}}
    session = wait_until(lambda: running.ask("api/sessions", told), 60, "No kernel was started.")
    file = home / "runtime" / f"kernel-{session['kernel']['id']}.json"
    client = BlockingKernelClient(connection_file=str(file))
    wait_until(file.exists, 30, "The kernel has no connection file.")
    client.load_connection_file()
    client.start_channels()
    try:
        wait_until(lambda: _answers(client), 60, "The kernel does not answer.")
        for source in first_cells(clone / "notebooks" / FIRST):
            execute(client, source)
    finally:
        client.stop_channels()


def _answers(client: BlockingKernelClient) -> bool:
    try:  # a kernel whose heart does not beat yet counts as dead there
        client.wait_for_ready(timeout=10)
    except RuntimeError:
        return False
    return True


def first_cells(notebook: Path) -> list[str]:
    """Return the code cells up to the one that reads the first record."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    ids = [cell["id"] for cell in cells]
    until = ids.index(LAST_CELL) + 1
    return ["".join(cell["source"]) for cell in cells[:until] if cell["cell_type"] == "code"]


def execute(client: BlockingKernelClient, source: str) -> None:
    """Run one cell; an error in it ends the measurement."""
    reply = client.execute_interactive(
        source, timeout=Deadline(120).seconds, output_hook=lambda message: None
    )["content"]
    if reply["status"] != "ok":
        raise ClusterNotRunning(
            "A cell of lesson 00 failed.",
            f"It says: {reply.get('evalue', reply['status'])}.",
            f"The cell is:\n{source}",
        )


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, measure, runs=1))
