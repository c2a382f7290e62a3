"""The Docker engine of the backends "compose" and "testcontainers".

Nothing is started here. `docker` is imported late: an embedded cluster needs none of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from eventlab.errors import EngineAway, ImageMissing
from eventlab.progress import Progress
from eventlab.waiting import Deadline

IMAGE = "apache/kafka:4.4.0"
BACK, FRONT = "back", "front"  # the networks of nodes, and of clients
OURS = "eventlab.folder"  # the label of what eventlab has started: the folder of its cluster
_ANSWER = 10.0  # seconds for the client of Docker to say where the engine is, and for the engine
_NONE = "Start Docker, or use the cluster that needs none: Cluster.start(backend='embedded')."


def image() -> str:
    """Return the name of the image of the nodes: KAFKA_IMAGE, or Apache's own."""
    return os.environ.get("KAFKA_IMAGE", "").strip() or IMAGE


def client() -> Any:
    """Return a client of the engine that DOCKER_HOST or the current Docker context names.

    EngineAway when it is not running, is none, is silent, or is not for this user; whatever is
    asked of the client later raises it too. The caller closes it.
    """
    from docker.utils import kwargs_from_env

    from eventlab.cluster.engine_client import Client

    host = _host()
    at = kwargs_from_env(environment=os.environ | {"DOCKER_HOST": host})
    try:  # what is made asks for the version, which takes no time, unlike some of what comes later
        made = Client(host, timeout=Deadline(_ANSWER).seconds, **at)
    except Exception as error:  # the client has no type for it: json's, docker's
        raise away(host, error) from None
    made.api.timeout = Deadline(60).seconds
    return made


def _host() -> str:
    """Return the engine's address, as the Docker client understands it too."""
    host = os.environ.get("DOCKER_HOST", "").strip()
    if not host and shutil.which("docker"):
        told = _program("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
        host = told.stdout.strip() if not told.returncode else ""
    return host or "unix:///var/run/docker.sock"


def _program(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `docker` with these words; EngineAway when it does not end in time."""
    within = Deadline(_ANSWER).seconds
    asked = ["docker", *words]
    try:
        return subprocess.run(asked, capture_output=True, text=True, timeout=within)
    except subprocess.TimeoutExpired:
        raise EngineAway(
            "The Docker client does not answer.",
            f"`{' '.join(asked)}` took more than {within:g} seconds.",
            _NONE,
        ) from None


def away(host: str, error: BaseException) -> EngineAway:
    """Return what the error of a client says of the engine at this address."""
    causes = list(_causes(error))
    if known := next((cause for cause in causes if isinstance(cause, EngineAway)), None):
        return known
    if any(isinstance(cause, PermissionError) for cause in causes):
        return EngineAway(
            "This user may not talk to the Docker engine.",
            f"Asking {host} gave: permission denied.",
            "Type `sudo usermod -aG docker $USER` and log in again.",
        )
    if any(isinstance(cause, FileNotFoundError | ConnectionRefusedError) for cause in causes):
        return EngineAway("No Docker engine is running.", f"Nobody answers at {host}.", _NONE)
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return EngineAway(
            "The Docker engine does not answer.",
            f"{host} takes questions, and said nothing in time.",
            "Restart Docker, or use the cluster that needs none: backend='embedded'.",
        )
    return EngineAway(
        "What should be the Docker engine is none.",
        f"Asking {host} gave: {_short(causes[-1])}.",
        "Set DOCKER_HOST to the engine's address, or unset it.",
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from; requests and urllib3 wrap it in arguments."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, BaseException) and id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += [found.__cause__, found.__context__, *found.args]


def _short(error: object) -> str:
    return " ".join(str(error).split()).strip(" .")[:200]


def require_image(engine: Any, name: str) -> None:
    """Return when the engine has this image, pulled if it has to be; ImageMissing if it cannot."""
    from docker.errors import APIError, ImageNotFound

    try:
        engine.images.get(name)
    except ImageNotFound:
        try:
            _pull(engine, name)
        except APIError as error:
            raise ImageMissing(
                f"The image {name} is not on this machine and could not be pulled.",
                f"The engine says: {_short(error.explanation or error)}.",
                "Pull it where there is a network and `docker load` it, or set KAFKA_IMAGE.",
            ) from None


def _pull(engine: Any, name: str) -> None:
    """Pull an image with a progress bar of its bytes."""
    from docker.errors import APIError

    repository, _, tag = name.partition("@") if "@" in name else name.rpartition(":")
    layers: dict[str, tuple[int, int]] = {}
    with Progress(f"Pulling {name}", "MB") as bar:
        told = engine.api.pull(repository, tag=tag or None, stream=True, decode=True)
        for line in told:
            if "error" in line:
                raise APIError(line["error"], explanation=line["error"])
            detail = line.get("progressDetail") or {}
            if line.get("status") == "Downloading" and detail.get("total"):
                layers[line["id"]] = detail["current"], detail["total"]
                done, total = map(sum, zip(*layers.values(), strict=True))
                bar(done / 1e6, total / 1e6)


def free_subnets(engine: Any, project: str, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the IPv4 subnets of `back` and `front` that the engine would make now.

    Only in a network whose subnet was named can a container have a fixed address.
    """
    names = (BACK, FRONT)
    made = [engine.networks.create(f"{project}_{n}", internal=True, labels=labels) for n in names]
    try:
        for network in made:
            network.reload()
        return dict(zip(names, map(_subnet, made), strict=True))
    finally:
        for network in made:
            network.remove()


def _subnet(network: Any) -> str:
    found: Iterator[str] = (each["Subnet"] for each in network.attrs["IPAM"]["Config"])
    return next(subnet for subnet in found if "." in subnet)  # one of IPv6 may be beside it


def remove(engine: Any, folder: Path | str) -> None:
    """Remove the containers, networks and volumes of the cluster in this folder."""
    from docker.errors import NotFound

    found = {"filters": {"label": f"{OURS}={folder}"}}
    for container in engine.containers.list(all=True, ignore_removed=True, **found):
        with contextlib.suppress(NotFound):  # somebody else was quicker
            container.remove(force=True, v=True)
    for kept in (*engine.networks.list(**found), *engine.volumes.list(**found)):
        with contextlib.suppress(NotFound):
            kept.remove()


def compose_version() -> str:
    """Return the version of Docker Compose; EngineAway when there is no Compose 2."""
    if not shutil.which("docker"):
        raise EngineAway(
            "The Docker client is not installed.",
            "There is no program `docker` on the PATH.",
            "Install Docker with its Compose plugin, or use Cluster.start(backend='embedded').",
        )
    told = _program("compose", "version", "--format", "json")
    try:
        return str(json.loads(told.stdout)["version"])
    except (ValueError, KeyError):
        raise EngineAway(
            "Docker has no Compose 2 here.",
            f"`docker compose version` says: {_short(told.stderr or told.stdout)}.",
            "Install the Compose plugin, or use Cluster.start(backend='testcontainers').",
        ) from None
