"""A project of docker-compose.yaml with a name and ports of its own."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import KafkaError

import eventlab
from eventlab.cluster.clients import connected
from eventlab.cluster.nodes import free_ports
from eventlab.cluster.settings import Settings
from eventlab.waiting import Deadline, wait_until

FILE = Path(eventlab.__file__).parent.parent / "docker-compose.yaml"
BROKERS = (1, 2, 3)
T = TypeVar("T")


def docker(*arguments: str, within: float = 60) -> str:
    """Run a command of docker's; return what it printed."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=Deadline(within).seconds
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


class Project:
    """What `docker compose -p NAME` does with the file, and what Kafka says of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ports = list(itertools.islice(free_ports(Settings()), len(BROKERS)))
        self.bootstrap_servers = ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def compose(self, *arguments: str) -> str:
        """Run a command of Compose's on this project."""
        ports = zip(BROKERS, self.ports, strict=True)
        given = {f"EVENTLAB_PORT_{broker}": str(port) for broker, port in ports}
        done = subprocess.run(
            ["docker", "compose", "-p", self.name, "-f", str(FILE), *arguments],
            env=os.environ | given,
            capture_output=True,
            text=True,
            timeout=Deadline(180).seconds,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def up(self, *services: str) -> None:
        """Start it, or a part of it; return when all of it is healthy."""
        self.compose("up", "--detach", "--wait", *services)

    def container(self, broker: int) -> str:
        """Return the name of a broker's container."""
        return f"{self.name}-broker-{broker}-1"

    def without(self, broker: int) -> str:
        """Return the addresses of the other brokers: one that is silent costs a client seconds."""
        return ",".join(f"127.0.0.1:{self.ports[n - 1]}" for n in BROKERS if n != broker)

    def disconnect(self, broker: int, network: str) -> None:
        """Take a broker from `back` or `front`."""
        docker("network", "disconnect", f"{self.name}_{network}", self.container(broker))

    def connect(self, broker: int, network: str) -> None:
        """Give it back, by the name that it advertises there."""
        alias = ("--alias", f"broker-{broker}.{network}")
        docker("network", "connect", *alias, f"{self.name}_{network}", self.container(broker))

    @contextmanager
    def deaf_to_the_host(self, broker: int) -> Iterator[None]:
        """Let a broker's answers to the host's address in `back` go nowhere.

        Docker 20.10 moves a published port to `back` when `front` is gone.
        """
        container = self.container(broker)
        where = f'{{{{(index .NetworkSettings.Networks "{self.name}_back").Gateway}}}}'
        host = docker("inspect", "--format", where, container)
        rights = ("--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--user", "0")
        route = ("run", "--rm", "--network", f"container:{container}", *rights)
        image = os.environ["KAFKA_IMAGE"]
        docker(*route, image, "ip", "route", "add", "blackhole", host)
        try:
            yield
        finally:
            docker(*route, image, "ip", "route", "del", "blackhole", host)

    def leftovers(self) -> list[str]:
        """Return the containers, networks and volumes of the project."""
        mine = ("--quiet", "--filter", f"label=com.docker.compose.project={self.name}")
        told = [docker("ps", "--all", *mine), docker("network", "ls", *mine)]
        return " ".join([*told, docker("volume", "ls", *mine)]).split()

    def create_topic(self, topic: str, replicas: int = 3, **configs: str) -> None:
        """Create a topic of one partition, and wait until it has a leader."""
        new = NewTopic(topic, 1, replicas, topic_configs=configs)
        with connected(KafkaAdminClient, bootstrap_servers=self.bootstrap_servers) as admin:
            admin.create_topics([new])
        self.wait_until(lambda: self.leader(topic) in BROKERS, "The topic has no leader.")

    def leader(self, topic: str) -> int:
        """Return the leader of the topic's partition, -1 when it has none."""
        return int(self._partition(topic)["leader_id"])

    def isr(self, topic: str) -> set[int]:
        """Return the brokers that are in sync."""
        return set(self._partition(topic)["isr_nodes"])

    def new_leader(self, topic: str, old: int) -> int:
        """Wait until another broker leads, by what the others say; return it."""

        def other() -> int:
            leader = int(self._partition(topic, self.without(old))["leader_id"])
            return 0 if leader in (old, -1) else leader

        return self.wait_until(other, f"{old} went on leading.")

    def wait_for_isr(self, topic: str, wanted: set[int], leader: int | None = None) -> None:
        """Wait until these are in sync, by what a broker says that knows this leader."""

        def in_sync() -> bool:
            told = self._partition(topic)
            return {*told["isr_nodes"]} == wanted and leader in (None, told["leader_id"])

        self.wait_until(in_sync, f"{wanted} are not all in sync.")

    def wait_until(self, condition: Callable[[], T], otherwise: str) -> T:
        """Wait until brokers say so; one that was cut off may await a lost answer for 30 s."""
        return wait_until(condition, 60, lambda: f"{otherwise} {self.compose('ps')}", every=0.2)

    def _partition(self, topic: str, servers: str = "") -> dict[str, Any]:
        asked = servers or self.bootstrap_servers
        config = {"bootstrap_servers": asked, "request_timeout_ms": 2000}
        try:
            with connected(KafkaAdminClient, **config) as admin:
                [told] = admin.describe_topics([topic])
        except KafkaError:  # the broker that it asked is dead, or paused
            told = {"partitions": []}
        return next(iter(told["partitions"]), {"leader_id": -1, "isr_nodes": []})
