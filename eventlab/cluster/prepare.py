"""What is made once for a (Java, jars, flags): the format checkpoint and the start-up cache.

The start-up cache is Java's AOT cache (JEP 483, 514, 515): classes loaded, linked and profiled by
one training run of a combined node with the flags of all nodes, next to a second broker so that it
replicates. Java ignores it when it does not fit, so it is keyed by what Java checks: the JDK, the
names, order, sizes and times of the jars.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock

from eventlab import environment
from eventlab.cluster import jvm, process, properties, ready, storage
from eventlab.cluster.jars import Kafka
from eventlab.cluster.java import Java, not_runnable
from eventlab.cluster.nodes import CLIENT, CONTROLLER, Node, layout, without_proxies
from eventlab.cluster.settings import Settings
from eventlab.errors import EventlabError, StartFailed
from eventlab.waiting import Deadline, wait_until

AOT_SINCE = 25  # JEP 514: one flag trains and writes the cache
TRAINING_SECONDS = 14.0  # what it takes on two cores; only the progress bar believes it

Progress = Callable[[float, float], None]
_HEAP = "128m"
_MONTH = 30 * 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Prepared:
    """The bootstrap checkpoint for controllers, and the AOT cache where there is one."""

    checkpoint: Path
    cache: Path | None


def prepared(java: Java, kafka: Kafka, progress: Progress | None = None) -> Prepared:
    """Return what was prepared for this Java and this Kafka, preparing what is missing."""
    folder = environment.private_folder(environment.home() / "prepared" / _key(java, kafka))
    with FileLock(folder.with_suffix(".lock"), timeout=300):
        checkpoint = _checkpoint(folder) or _format(java, kafka, folder)
        cache = folder / "nodes.aot"
        if java.major >= AOT_SINCE and not cache.exists() and not (folder / "failed.log").exists():
            _train(java, kafka, folder, checkpoint, progress or (lambda done, total: None))
            _forget_old(folder)
        folder.touch()
    return Prepared(checkpoint, cache if cache.exists() else None)


def is_prepared(java: Java, kafka: Kafka) -> bool:
    """Say whether a start will find everything."""
    folder = environment.home() / "prepared" / _key(java, kafka)
    made = (folder / "nodes.aot").exists() or (folder / "failed.log").exists()
    return _checkpoint(folder) is not None and (made or java.major < AOT_SINCE)


def _forget_old(folder: Path) -> None:
    """Remove caches that no start has used for a month: each new JDK or Kafka leaves one."""
    for other in folder.parent.iterdir():
        if other.is_dir() and time.time() - other.stat().st_mtime > _MONTH:
            shutil.rmtree(other, ignore_errors=True)


def _key(java: Java, kafka: Kafka) -> str:
    facts = [java.version, str(java.home), *jvm.flags(java, _HEAP)]
    for path in (java.home / "lib" / "modules", *kafka.jars):
        facts.append(path.name)
        if path.exists():
            status = path.stat()  # its time in whole seconds: layers of an image keep no more
            facts.append(f"{status.st_size} {int(status.st_mtime)}")
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _checkpoint(folder: Path) -> Path | None:
    return next(folder.glob("*.checkpoint"), None)


def _write_node(folder: Path, node: Node, nodes: Sequence[Node]) -> Path:
    """Write the properties of a node into a folder; return where its data will be."""
    data = folder / "data"
    text = properties.render(node, nodes, Settings(profile="small").resolved(), str(data))
    (folder / "server.properties").write_text(text, "ascii")
    return data


def _format(java: Java, kafka: Kafka, folder: Path) -> Path:
    """Let Kafka's own StorageTool format one node, and keep its checkpoint."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="format-") as work:
        (node,) = map(without_proxies, layout(Settings(profile="small").resolved()))
        data = _write_node(Path(work), node, [node])
        line = jvm.command(java, kafka, _HEAP, None)[:-2]
        options = ["format", "-t", storage.random_id(), "-c", "server.properties"]
        try:
            done = subprocess.run(
                [*line, "kafka.tools.StorageTool", *options],
                cwd=work,
                env=jvm.environ(),
                capture_output=True,
                text=True,
                timeout=Deadline(60).seconds,
            )
        except OSError as error:
            raise not_runnable(java.executable, error.strerror or str(error)) from None
        except subprocess.TimeoutExpired as error:
            raise _failed("Kafka took too long to format a data folder.", str(error)) from None
        made = next((data / storage.METADATA).glob("*.checkpoint"), None)
        if done.returncode or made is None:
            raise _failed("Kafka could not format a data folder.", done.stdout + done.stderr)
        made.chmod(0o600)
        return Path(shutil.copy(made, folder / made.name))


def _train(java: Java, kafka: Kafka, folder: Path, checkpoint: Path, progress: Progress) -> None:
    """Run two nodes, use them as lessons do; the combined one writes the cache as it ends."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="train-") as name:
        work = Path(name)
        made = work / "nodes.aot"
        line = jvm.command(java, kafka, _HEAP, None)
        trained = jvm.command(java, kafka, _HEAP, None, f"-XX:AOTCacheOutput={made}")
        combined, other = _pair()
        started: list[subprocess.Popen[bytes]] = []
        try:
            cluster_id = storage.random_id()
            for node, command, first in ((combined, trained, checkpoint), (other, line, None)):
                place = environment.private_folder(work / str(node.node_id))
                data = _write_node(place, node, [combined, other])
                storage.format_node(data, cluster_id, node.node_id, first)
                started.append(process.spawn(command, place, jvm.environ()))
            _exercise([combined, other], started, progress)
            for jvm_process in reversed(started):  # a broker needs the controller to leave
                _await_exit(jvm_process, progress)
            made.replace(folder / made.name)
        except (EventlabError, OSError) as error:  # a start without the cache is slower, not wrong
            log = "".join(f.read_text("utf-8", "replace") for f in work.glob(f"*/{process.LOG}"))
            (folder / "failed.log").write_text(f"{error}\n{log}", "utf-8")
        finally:
            for jvm_process in started:
                jvm_process.kill()
                jvm_process.wait()


def _pair() -> tuple[Node, Node]:
    """Return a combined node and a broker."""
    settings = Settings(brokers=2, topology="combined").resolved()
    first, second = map(without_proxies, layout(settings))
    broker = [at for at in second.listeners if at.name != CONTROLLER]
    return first, replace(second, roles=("broker",), listeners=tuple(broker))


def _exercise(
    nodes: Sequence[Node], started: Sequence[subprocess.Popen[bytes]], progress: Progress
) -> None:
    deadline = Deadline(60)
    ports = [node.port(CLIENT) or 0 for node in nodes]
    wait_until(
        lambda: (
            all(map(ready.accepts, ports))
            or any(jvm_process.poll() is not None for jvm_process in started)
        ),
        deadline,
        "The training nodes did not start.",
    )
    progress(3, TRAINING_SECONDS)
    servers = ",".join(f"127.0.0.1:{port}" for port in ports)
    ready.exercise(servers, len(nodes), deadline)
    progress(5, TRAINING_SECONDS)


def _await_exit(jvm_process: subprocess.Popen[bytes], progress: Progress) -> None:
    jvm_process.terminate()
    deadline = Deadline(120)

    def ended() -> bool:
        guessed = 5 + deadline.seconds - deadline.left
        progress(min(TRAINING_SECONDS - 1, guessed), TRAINING_SECONDS)  # the end is not ours to say
        return jvm_process.poll() is not None

    wait_until(ended, deadline, "A training node did not end.", every=0.1)


def _failed(what: str, output: str) -> StartFailed:
    lines = [line for line in output.splitlines() if line.strip()]
    return StartFailed(
        what,
        f"Java says: {(lines or ['nothing'])[-1].strip(' .')[:300]}.",
        "Type `eventlab doctor` to see which Java and Kafka are used.",
        output,
    )
