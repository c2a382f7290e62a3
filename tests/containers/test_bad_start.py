"""An engine that is away, an image that is nowhere, a project of the same name: said soon."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

from eventlab import Cluster
from eventlab.cli import doctor
from eventlab.cluster import engine as engines
from eventlab.cluster.attach import attach_or_launch
from eventlab.cluster.settings import Settings
from eventlab.errors import (
    ClusterMismatch,
    EngineAway,
    ImageMissing,
    InvalidSetting,
    NeverHappened,
    NotSupported,
    PortInUse,
)
from tests.conftest import PREFIX, nothing_left
from tests.containers.leftovers import leftovers
from tests.unit.refusals import refused

CONTAINERS = ("compose", "testcontainers")
each_backend = pytest.mark.parametrize("backend", CONTAINERS)
NAME = f"{PREFIX}-bad"
SOON = 5.0  # seconds, a guard against hanging


@pytest.fixture(autouse=True)
def _nothing_is_started():
    """Whatever was refused has left no folder and no process."""
    yield
    assert nothing_left(NAME)


@each_backend
def test_no_engine_is_running(monkeypatch, tmp_path, backend):
    """The address is named, and the backend that needs no engine."""
    if backend == "compose" and not shutil.which("docker"):
        pytest.skip("the client of Docker is not installed, which is told first")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with refused(EngineAway, "docker.sock", "embedded", within=SOON):
        Cluster.start(NAME, backend=backend)


def test_the_doctor_sees_the_engine(engine):
    """Which engine and which Compose is what one is asked for first."""
    assert re.match(r"engine \d+\..*, Compose v?2\.", doctor._docker().seen)


def test_a_socket_of_something_else(monkeypatch, engine):
    """What listens there speaks another language: it is no engine, and is not waited for."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            client, _ = server.accept()
            with client:
                client.recv(1000)
                client.sendall(b"220 a mail server\r\n")

        threading.Thread(target=serve, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.getsockname()[1]}")
        with refused(EngineAway, "is none", "DOCKER_HOST", within=SOON):
            Cluster.start(NAME, backend="testcontainers")


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root")
def test_a_user_who_may_not_ask_the_engine(engine, tmp_path):
    """Another user gets what to type, not a traceback of three libraries."""
    said = tmp_path / "said"
    file = os.open(said, os.O_CREAT | os.O_WRONLY)
    pid = os.fork()
    if not pid:  # a child that is somebody else from here on
        try:
            os.setgroups([])
            os.setuid(65534)
            engines.client()
        except BaseException as error:
            os.write(file, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(file)
    assert said.read_text().startswith("This user may not talk to the Docker engine. ")
    assert "usermod" in said.read_text()


@each_backend
def test_an_image_that_is_nowhere(engine, monkeypatch, backend):
    """What the engine says of it, and how it can be brought."""
    monkeypatch.setenv("KAFKA_IMAGE", "127.0.0.1:1/eventlab/none:0")
    with refused(ImageMissing, "127.0.0.1:1/eventlab/none:0", "docker load", within=30):
        Cluster.start(NAME, backend=backend)
    assert leftovers(NAME) == []


@each_backend
def test_a_port_that_is_taken(kafka_image, backend):
    """It is told before a container is made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with refused(PortInUse, str(port), "port=", within=SOON):
            Cluster.start(NAME, backend=backend, port=port)
    assert leftovers(NAME) == []


@pytest.mark.parametrize(
    ("backend", "given"),
    [
        ("compose", {"brokers": 5}),
        ("compose", {"profile": "stock"}),
        ("compose", {"data": "here"}),
        ("testcontainers", {"topology": "combined"}),
        ("testcontainers", {"profile": "small"}),
        ("testcontainers", {"data": "here"}),
    ],
)
def test_what_a_backend_does_not_have(engine, backend, given):
    """The setting is named, and the backend that has it; nothing is ignored in silence."""
    with refused(NotSupported, backend, next(iter(given)), "embedded", within=SOON):
        Cluster.start(NAME, backend=backend, **given)


def test_a_backend_that_there_is_not(monkeypatch):
    """Said with those that there are, whether given or from the environment."""
    with refused(InvalidSetting, "podman", "compose", within=SOON):
        Cluster.start(NAME, backend="podman")
    monkeypatch.setenv("EVENTLAB_BACKEND", "podman")
    with refused(InvalidSetting, "EVENTLAB_BACKEND", "podman", within=SOON):
        Cluster.start(NAME)


def test_a_cluster_of_others_is_not_started():
    """`eventlab up` has nothing to start there, and says what to use."""
    settings = Settings(NAME, backend="external")
    with refused(NotSupported, "external", "Cluster.connect", within=SOON):
        attach_or_launch(settings, os.getpid())


FOREIGN = """
services:
  web:
    image: ${KAFKA_IMAGE}
    command: ["bash", "-c", "read < /dev/zero & wait"]
"""


def test_a_project_of_the_same_name(kafka_image, tmp_path):
    """A project of another Compose file is neither used nor touched."""
    file = tmp_path / "docker-compose.yaml"
    file.write_text(FOREIGN)
    compose = ["docker", "compose", "-p", f"eventlab-{NAME}", "-f", str(file)]
    subprocess.run([*compose, "up", "--detach"], check=True, capture_output=True, timeout=60)
    try:
        before = leftovers(NAME)
        with refused(ClusterMismatch, f"eventlab-{NAME}", "web", "name=", within=SOON):
            Cluster.start(NAME, backend="compose")
        assert leftovers(NAME) == before
    finally:
        down = [*compose, "down", "--volumes", "--timeout", "0"]
        subprocess.run(down, check=True, capture_output=True, timeout=60)


def test_a_container_that_is_removed_behind_our_back(kafka_image):
    """Its node is `removed`, which nothing brings back; the end of the cluster goes well."""
    with Cluster(NAME, backend="testcontainers") as cluster:
        client = engines.client()
        client.containers.get(f"eventlab-{NAME}-broker-2").remove(force=True, v=True)
        client.close()
        began = time.monotonic()
        while cluster.brokers[2].state != "removed":
            assert time.monotonic() - began < 10
        with refused(NeverHappened, "removed", "log()", within=SOON):
            cluster.brokers[2].start()
        assert cluster.brokers[1].state == "running"
    assert leftovers(NAME) == []


def test_a_project_that_somebody_has_started_is_used_and_left(project):
    """`docker compose up`, then a notebook: the same cluster, mended and running at its end."""
    name = project.name.removeprefix("eventlab-")
    with Cluster(name, backend="compose") as cluster:
        assert cluster.bootstrap_servers.split(",") == project.bootstrap_servers.split(",")
        assert "cut clients" not in cluster.can
        cluster.brokers[2].freeze()
    assert nothing_left(name)
    assert project.compose("ps", "--all", "--format", "{{.State}}").split() == ["running"] * 4
