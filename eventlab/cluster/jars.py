"""Kafka's jars: fetched from Maven Central by jgo, each held to the SHA-256 of `jars.lock`.

`jars.lock` names every jar with its digest; jgo resolved it once (`lock_lines`), and a test
holds it to what jgo resolves today. The only jar that Kafka does not ask for itself is an SLF4J
provider: without one its brokers log nothing. slf4j-simple is the smallest, and the only one that
still writes while a broker shuts down. SLF4J is 2.0 where Kafka asks for 1.7, whose clients it
takes as they are (SLF4J manual): classes as old as those of 1.7 no start-up cache can hold.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from eventlab import environment
from eventlab.errors import KafkaNotFound

VERSION = "4.4.0"
ROOTS = (
    f"org.apache.kafka:kafka_2.13:{VERSION}",
    "org.slf4j:slf4j-simple:2.0.17",
    "org.slf4j:slf4j-api:2.0.17",
)
LOCK = Path(__file__).with_name("jars.lock")

Progress = Callable[[int, int], None]  # bytes so far, bytes in all


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock: Maven coordinate, size in bytes, SHA-256."""

    coordinate: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        """The name Maven gives the file."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


@dataclass(frozen=True, slots=True)
class Kafka:
    """A Kafka that can be started: its version and its class path, in order."""

    version: str
    jars: tuple[Path, ...]


def locked() -> list[Jar]:
    """Return the jars of the lock."""
    rows = (line.split() for line in LOCK.read_text("utf-8").splitlines() if line[0] != "#")
    return [Jar(coordinate, int(size), sha256) for coordinate, size, sha256 in rows]


def find() -> Kafka:
    """Return the Kafka to start, without touching the network; KafkaNotFound when it is absent."""
    named = environment.named_folder("EVENTLAB_KAFKA_HOME")
    if named:
        return _unpacked(named)
    missing = [jar.file_name for jar in locked() if not _is_there(jar)]
    if missing:
        raise KafkaNotFound(
            "Kafka is not on this machine yet.",
            f"{len(missing)} of {len(locked())} jars are missing in {folder()}.",
            "Type `eventlab fetch` (or `./lab fetch`) while there is a network.",
        )
    return Kafka(VERSION, tuple(folder() / jar.file_name for jar in locked()))


def folder() -> Path:
    """Return the folder of the fetched jars."""
    return environment.home() / "kafka" / VERSION


def fetch(progress: Progress | None = None) -> Kafka:
    """Fetch what is missing, check every digest, return the Kafka; resumes where it was cut."""
    if environment.value("EVENTLAB_KAFKA_HOME"):
        return find()
    target = environment.private_folder(folder())
    with FileLock(target.with_suffix(".lock"), timeout=600):
        missing = [jar for jar in locked() if not _is_there(jar)]
        if missing:
            _download(missing, target, progress or (lambda done, total: None))
        _refuse_changed(target)
    return find()


def _is_there(jar: Jar) -> bool:
    path = folder() / jar.file_name
    return path.is_file() and path.stat().st_size == jar.size


def _refuse_changed(target: Path) -> None:
    for jar in locked():
        path = target / jar.file_name
        if _sha256(path) != jar.sha256:
            path.unlink()
            raise _not_the_locked(jar)


def _not_the_locked(jar: Jar) -> KafkaNotFound:
    return KafkaNotFound(
        f"{jar.file_name} is not the file that eventlab was made with.",
        f"Its SHA-256 is not {jar.sha256[:16]}..., so it was thrown away.",
        "Type `eventlab fetch` to get it again.",
    )


def _download(missing: list[Jar], target: Path, progress: Progress) -> None:
    staging = target / "staging"
    context = _context(staging, _Counter(sum(jar.size for jar in missing), progress))
    try:
        with ThreadPoolExecutor(8) as pool:  # 45 small files: latency, not bandwidth, is what costs
            list(pool.map(lambda jar: _download_one(context, jar, target), missing))
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors
        raise KafkaNotFound(
            "Kafka could not be fetched.",
            f"The reason is: {_reason(error)}.",
            "Check the network and type `eventlab fetch`; what is there already is kept.",
        ) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _download_one(context: Any, jar: Jar, target: Path) -> None:
    path = _artifact(context, jar.coordinate).resolve()
    if _sha256(path) != jar.sha256:
        path.unlink()
        raise _not_the_locked(jar)
    path.replace(target / jar.file_name)  # whole and checked, or not at all


def _context(staging: Path, counter: _Counter) -> Any:
    from jgo.maven import MavenContext, PythonResolver  # imported late: only fetching needs it

    resolver = PythonResolver()
    resolver.progress_callback = counter.file
    return MavenContext(resolver=resolver, repo_cache=staging, local_repos=[], timeout=30)


def _artifact(context: Any, coordinate: str) -> Any:
    group, artifact, version = coordinate.split(":")
    return context.project(group, artifact).at_version(version).artifact()


class _Counter:
    """Adds up the bytes of all files, whichever thread brings them."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.total, self.progress, self.done = total, progress, 0

    @contextmanager
    def file(self, name: str, size: int) -> Iterator[Callable[[int], None]]:
        yield self.add

    def add(self, count: int) -> None:
        self.done += count
        self.progress(self.done, self.total)


def _unpacked(home: Path) -> Kafka:
    """Return the Kafka of an unpacked distribution."""
    core = sorted(home.glob("libs/kafka_2.13-*.jar"))
    found = re.fullmatch(r"kafka_2\.13-(\d[\w.]*)", core[0].stem) if core else None
    if not found or int(found[1].split(".")[0]) < 4:
        raise KafkaNotFound(
            "EVENTLAB_KAFKA_HOME is not an unpacked Kafka 4 distribution.",
            f"{home} has no libs/kafka_2.13-4.*.jar.",
            "Set it to the folder that holds bin, config and libs, or unset it.",
        )
    if ":" in str(home):
        raise KafkaNotFound(
            "Java cannot load Kafka from a folder with ':' in its name.",
            f"EVENTLAB_KAFKA_HOME is {home}.",
            "Move it, or reach it through a link with another name.",
        )
    return Kafka(found[1], tuple(sorted(home.glob("libs/*.jar"))))


def lock_lines() -> Iterable[str]:
    """Resolve the roots anew with jgo and yield the lines of the lock; needs a network."""
    staging = environment.private_folder(environment.home() / "relock")
    context = _context(staging, _Counter(0, lambda done, total: None))
    inputs, others = context.resolver.resolve([context.create_dependency(root) for root in ROOTS])
    for dependency in sorted({str(d.artifact) for d in inputs + others}):
        group, artifact, _, version = dependency.split(":")
        path = _artifact(context, f"{group}:{artifact}:{version}").resolve()
        yield f"{group}:{artifact}:{version} {path.stat().st_size} {_sha256(path)}"
    shutil.rmtree(staging)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: BaseException) -> str:
    """Return what the system said, beneath what each library on the way said about it."""
    while error.__context__:
        error = error.__context__
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0][:200].rstrip(".")
