"""An engine, Kafka's image, and one compose project that the tests share.

The image is a stand-in made of this Linux (`standin/`), or the one that KAFKA_IMAGE names, or the
official one with EVENTLAB_REAL_IMAGES=1.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from eventlab.cluster.jars import VERSION
from tests.conftest import PREFIX
from tests.containers.project import FILE, Project, docker
from tests.containers.standin import kafka, postgres, python

REAL = bool(os.environ.get("EVENTLAB_REAL_IMAGES"))


@pytest.fixture(scope="session")
def engine():
    """Let a test run that needs a Docker engine and Compose v2; in CI a Linux has to have both."""
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        if reason := _failure(command):
            if os.environ.get("CI") and sys.platform == "linux":
                pytest.fail(f"CI has an engine: {reason}")
            pytest.skip(f"install Docker with Compose, or run this as .ci/engine does: {reason}")


def _failure(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip() or " ".join(command) if done.returncode else ""


@pytest.fixture(scope="session")
def kafka_image(engine):
    """Return the image that KAFKA_IMAGE then names: the official one, or the stand-in."""
    if REAL or sys.platform != "linux":
        with _named("KAFKA_IMAGE", f"apache/kafka:{VERSION}") as image:
            yield image
    else:
        with _made("KAFKA_IMAGE", kafka.build) as image:
            yield image


@pytest.fixture(scope="session")
def eventlab_image(engine):
    """Return the image of the project's Dockerfile, which EVENTLAB_IMAGE then names."""
    build = _on_the_official_base if REAL else _on_the_stand_in
    possible = REAL or (os.environ.get("CI") and os.geteuid() == 0)  # debootstrap asks for root
    if not (os.environ.get("EVENTLAB_IMAGE") or possible):
        pytest.skip("root with CI=true builds it in minutes; or set EVENTLAB_IMAGE to one")
    with _made("EVENTLAB_IMAGE", build) as image:
        yield image


@pytest.fixture(scope="session")
def postgres_image(engine):
    """Let POSTGRES_IMAGE name the stand-in, unless the official images are wanted."""
    if REAL:
        yield None
        return
    with _made("POSTGRES_IMAGE", postgres.build) as image:
        yield image


def _on_the_official_base(tag: str) -> None:
    docker("build", "--quiet", "--tag", tag, str(FILE.parent), within=900)


def _on_the_stand_in(tag: str) -> None:
    base = f"{tag}-base"
    python.build(base)
    # The network of the machine, whose tools know where packages are.
    options = ("--network", "host", "--build-arg", f"BASE={base}")
    docker("build", "--quiet", *options, "--tag", tag, str(FILE.parent), within=900)


@contextmanager
def _made(variable: str, build: Callable[[str], None]) -> Iterator[str]:
    """Build an image and name it in a variable, unless that names one already."""
    if given := os.environ.get(variable):
        yield given
        return
    image = f"eventlab-test/{variable.split('_')[0].lower()}:{os.getpid()}"
    build(image)
    with _named(variable, image):
        yield image
    docker("image", "rm", image)


@contextmanager
def _named(variable: str, image: str) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, image)
        yield image


@pytest.fixture(scope="package")  # the tests that follow need the machine for themselves
def project(kafka_image):
    """Return a project that is up; what it left, when it is down, fails the run."""
    project = Project(f"eventlab-{PREFIX}-compose")
    try:
        project.up()
        yield project
    finally:
        project.compose("--profile", "*", "down", "--volumes")
    assert project.leftovers() == []
