"""A cluster of containers that testcontainers makes: for tests, and where Compose is not there."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from eventlab.cluster.engine import BACK, FRONT

_NETWORKS: dict[str, dict[str, Any]] = {FRONT: {}, BACK: {"internal": True}}
# Volumes of the image that nobody needs and `docker rm` alone would leave.
_NO_VOLUMES = {"/etc/kafka/secrets": "", "/mnt/shared/config": ""}
_LIMITS: dict[str, Any] = {
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    # A connection that is cut ends after 3 seconds, not 15 minutes: it may come back as another.
    "sysctls": {"net.ipv4.tcp_retries2": "3"},
}


class Disposable:
    """A container for each node and two networks; nobody else has made them."""

    adopted = False

    def __init__(self, launch: dict[str, Any]) -> None:
        self._project: str = launch["project"]
        self._nodes: list[dict[str, Any]] = launch["nodes"]
        self._labels: dict[str, str] = launch["labels"]
        self._service: str = launch["service"]
        self._subnets: dict[str, str] = launch["subnets"]
        self._networks: dict[str, Any] = {}
        self._over = threading.Event()
        self._making = threading.Lock()

    async def up(self) -> None:
        """Make the networks, and a container after the other; they start side by side."""
        await asyncio.to_thread(self._up)

    async def down(self) -> None:
        """Make no more; return when nothing is being made."""
        self._over.set()
        await asyncio.to_thread(self._making.acquire)

    def _up(self) -> None:
        from testcontainers.core.config import testcontainers_config
        from testcontainers.core.network import Network

        # Its own reaper is one more image to pull, and does what this supervisor does: when the
        # last owner is gone, however it went, so are the containers.
        testcontainers_config.ryuk_disabled = True

        with self._making:
            for name in (FRONT, BACK):
                given = {"labels": self._labels, "ipam": _ipam(self._subnets[name])}
                network = Network(docker_network_kw=_NETWORKS[name] | given)
                network.name = f"{self._project}_{name}"
                self._networks[name] = network.create()
            for told in self._nodes:
                if not self._over.is_set():
                    self._start(told)

    def _start(self, told: dict[str, Any]) -> None:
        from testcontainers.core.container import DockerContainer

        container = DockerContainer(told["image"], env=told["environ"])
        container.with_network(self._networks[FRONT]).with_network_aliases(
            f"{told['service']}.front"
        )
        if told["behind"]:
            container.ports["9092/tcp"] = ("127.0.0.1", told["behind"])  # type: ignore[assignment]
        labels = self._labels | {self._service: told["service"]}
        container.with_name(f"{self._project}-{told['service']}")
        container.with_kwargs(labels=labels, **_LIMITS)
        container.tmpfs |= _NO_VOLUMES
        container.start()
        # Ports are of the first network; names of other nodes are looked up after this.
        container.get_docker_client().client.api.connect_container_to_network(
            container.get_container_id(),
            self._networks[BACK].id,
            aliases=[f"{told['service']}.back"],
            ipv4_address=told["address"],
        )


def _ipam(subnet: str) -> Any:
    from docker.types import IPAMConfig, IPAMPool

    return IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)])
