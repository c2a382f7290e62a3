"""The cluster that a notebook holds in its hand."""

from __future__ import annotations

import atexit
import contextlib
import os
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from eventlab import environment
from eventlab.cluster import clients, control, launch, registry, show, storage, topics
from eventlab.cluster.admin import Admin
from eventlab.cluster.attach import attach_or_launch
from eventlab.cluster.broker import Broker, Brokers
from eventlab.cluster.settings import Settings
from eventlab.errors import ClusterNotRunning, UnknownNode

if TYPE_CHECKING:
    import pandas as pd

    from eventlab.cluster.external import External

T = TypeVar("T")


class _OnClassOrInstance(Generic[T]):
    """Lets `Cluster.start(...)` and `Cluster(...).start()` both mean what they say."""

    def __init__(self, function: Callable[..., T]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Cluster | None, owner: type[Cluster]) -> Callable[..., T]:
        if instance is None:
            return lambda *args, **settings: self.function(owner(*args, **settings))
        return lambda: self.function(instance)


class Cluster:
    """A live Kafka cluster: one controller and three brokers, unless you say otherwise.

        cluster = Cluster.start()          # attaches to the running one, or starts it
        cluster.bootstrap_servers          # what KafkaProducer and KafkaConsumer want
        cluster.brokers[1].kill()          # a real process really dies

    `name` tells clusters apart; `profile` is "lab" (quick timings), "stock" (Kafka's own defaults)
    or "small" (one combined node); `properties` are broker properties under Kafka's own names;
    `port` is that of the first broker; `data` is a folder that outlives the cluster; `topology` is
    "dedicated" (a controller of its own) or "combined" (every node is broker and controller);
    `backend` is what runs the nodes: "embedded" (processes of this machine), "compose" (Docker
    Compose, on docker-compose.yaml) or "testcontainers".
    """

    def __init__(
        self,
        name: str = "lab",
        *,
        brokers: int | None = None,
        profile: str | None = None,
        properties: Mapping[str, str | int | bool] | None = None,
        port: int | None = None,
        data: str | os.PathLike[str] | None = None,
        topology: str | None = None,
        backend: str | None = None,
    ) -> None:
        environment.warn_of_unknown_names()
        environment.warn_of_ignored_names()
        given = {} if properties is None else properties
        self._settings = Settings(name, brokers, profile, given, port, data, topology, backend)
        self.name = name
        self._told: dict[str, Any] | None = None
        self._external: External | None = None
        self._admin = Admin(self._serving)

    @_OnClassOrInstance
    def start(self: Cluster) -> Cluster:
        """Attach to the running cluster of this name, or start it; return it when it is ready.

        It runs as long as somebody holds it: this process, other notebooks, JupyterLab.
        ClusterMismatch when one of this name runs with other settings than those asked for.
        """
        if self._settings.resolved().backend == "external":
            return self._meet()
        self._told = attach_or_launch(self._settings, os.getpid())
        clients.quiet()
        _open.add(self)
        return self

    @classmethod
    def connect(
        cls,
        bootstrap_servers: str | None = None,
        *,
        security: Mapping[str, Any] | None = None,
        prefix: str | None = None,
    ) -> Cluster:
        """Return a cluster that somebody else runs, as soon as clients can use it.

            cluster = Cluster.connect("kafka.example.com:9093", security={...})

        `security` has kafka-python's words (docs/clusters.md); what is left out is taken from the
        environment (EVENTLAB_SERVERS ...). Names of topics and groups begin with `prefix`. Faults
        are refused, and topics that it did not make are never deleted. ClusterUnreachable,
        AccessRefused, CertificateRefused, InvalidSetting.
        """
        return cls("external")._meet(bootstrap_servers, security, prefix)

    def _meet(self, *given: Any) -> Cluster:
        from eventlab.cluster.external import External  # imported late: it takes a client along

        external = External.from_environment(*given)
        self._told = external.connect()
        self._external = external
        self._admin = Admin(self._serving, external.security)
        clients.quiet()
        _open.add(self)
        return self

    def stop(self) -> None:
        """Give the cluster up; it ends, with its data, when nobody else holds it.

        Without `data=` the records go with it. Stopping twice is the same as once.
        """
        self._admin.close()
        if self._told is None:
            return
        self._told = None
        if self._external:
            return
        with contextlib.suppress(ClusterNotRunning):
            state = control.ask(self.folder, "release", pid=os.getpid())
            if not state["owners"] and not state["kept"]:
                launch.end_running(self.name)

    def __enter__(self) -> Cluster:
        return self if self._told else self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def folder(self) -> Path:
        """Where the cluster keeps its nodes' properties, logs and, without `data=`, their data."""
        return registry.folder(self.name)

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of the brokers, as clients want them."""
        return str(self.require_running()["bootstrap_servers"])

    @property
    def client_config(self) -> dict[str, Any]:
        """What a client of kafka-python needs to connect: `KafkaProducer(**client_config)`."""
        servers = {"bootstrap_servers": self.bootstrap_servers}
        return self._external.client_config if self._external else servers

    @property
    def backend(self) -> str:
        """What runs the nodes: embedded, compose, testcontainers, or others: external."""
        return str(self.require_running()["backend"])

    @property
    def can(self) -> frozenset[str]:
        """What can be done to it where it runs.

        Some of "stop", "kill", "freeze" (a node), "isolate" (from all others), "cut clients",
        "slow clients", "cut links", "slow links" (between two nodes); nothing, if it is not ours.
        """
        return frozenset(self.require_running()["can"])

    @property
    def kafka_version(self) -> str:
        """The version of the brokers."""
        return str(self.require_running()["kafka_version"])

    @property
    def brokers(self) -> dict[int, Broker]:
        """The brokers by node_id."""
        told = self.require_running()["nodes"]
        return Brokers((n["node_id"], Broker(self, n)) for n in told if "broker" in n["role"])

    @property
    def controller(self) -> Broker:
        """The node that keeps the cluster's metadata: of several the active one."""
        told = [n for n in self.require_running()["nodes"] if "controller" in n["role"]]
        if not told:
            raise UnknownNode(
                "This cluster does not tell clients of its controllers.",
                f"It has the brokers {', '.join(map(str, self.brokers))}.",
                "Look at observe.quorum(cluster).",
            )
        if len(told) > 1:
            root = Path(self.require_running()["settings"]["data"] or self.folder)
            active = storage.quorum_leader(root / f"node-{n['node_id']}" / "data" for n in told)
            told = [node for node in told if node["node_id"] == active] or told
        return Broker(self, told[0])

    @property
    def admin(self) -> Any:
        """A KafkaAdminClient of this cluster, opened when first asked for."""
        return self._admin.client

    def status(self) -> dict[str, Any]:
        """Return the state of the cluster and its nodes, as `eventlab status --json` prints it."""
        self.require_running()
        return self._external.status() if self._external else control.ask(self.folder, "status")

    def name_of(self, name: str) -> str:
        """Return what a topic or group of this name is called here.

        On a cluster that others use too it begins with a prefix; on one of ours it is `name`.
        """
        return self._external.name_of(name) if self._external else name

    def create_topic(
        self,
        name: str,
        partitions: int = 3,
        replication_factor: int | None = None,
        min_insync_replicas: int | None = None,
        *,
        configs: Mapping[str, str | int] | None = None,
        fresh: bool = False,
    ) -> str:
        """Create a topic, and return its name here when all its partitions have a leader.

        Without a number it has up to 3 replicas, and writes want all but one of them in sync. A
        topic of this shape that exists is left alone; `fresh=True` deletes it first.
        TopicMismatch when one of another shape exists.
        """
        count = len(self.brokers)
        replicas = min(3, count) if replication_factor is None else replication_factor
        in_sync = max(1, replicas - 1) if min_insync_replicas is None else min_insync_replicas
        topics.check(name, partitions, replicas, in_sync, count)
        topics.check_configs(configs)
        shape = {
            "partitions": partitions,
            "replication_factor": replicas,
            "min_insync_replicas": in_sync,
            "configs": {key: str(value) for key, value in (configs or {}).items()},
        }
        if self._external:
            self._external.create_topic(self._admin, name, shape, fresh)
        else:
            topics.create(self._admin, name, shape, fresh)
        return self.name_of(name)

    def delete_topic(self, name: str) -> None:
        """Delete a topic and its records.

        UnknownTopic when there is none of this name; NotOurs when others have made it.
        """
        if self._external:
            self._external.delete_topic(self._admin, name)
        else:
            topics.delete(self._admin, name)

    def elect_preferred(self, topic: str) -> None:
        """Let the first replica of each partition lead it, as at first; return when it does.

        UnknownTopic; NeverHappened when one of them is not running, or not in sync.
        """
        topics.elect_preferred(self._admin, topic)

    def topics(self) -> pd.DataFrame:
        """Return topic, partitions, replication_factor, min_insync_replicas of every topic."""
        return topics.frame(self._admin)

    def require_running(self) -> dict[str, Any]:
        """Return what was told when it started; ClusterNotRunning before `start`, after `stop`."""
        if self._told is None:
            raise control.not_running(self.name, "this object is not started, or stopped")
        return self._told

    def _serving(self) -> dict[int, str]:
        """Return the brokers that run and are not cut off, or all when there is none."""
        brokers = [node for node in self.status()["nodes"] if "broker" in node["role"]]
        running = [node for node in brokers if node["state"] == "running" and node["reachable"]]
        return {node["node_id"]: node["address"] for node in running or brokers}

    def _state(self) -> dict[str, Any] | None:
        try:
            return self.status()
        except ClusterNotRunning:
            return None

    def _not_held(self) -> str:
        """Say what became of a cluster that this object does not hold."""
        if self._external:
            return "not connected"
        state = registry.running(self.name)
        if state is None:
            return "not running"
        others = len(state["owners"]) + state["kept"]
        return f"not held here, still running for {others} other{'s' if others > 1 else ''}"

    def __repr__(self) -> str:
        state = self._state()
        return show.cluster_line(state) if state else f"<Cluster {self.name} · {self._not_held()}>"

    def _repr_html_(self) -> str:
        state = self._state()
        return (
            show.cluster_table(state)
            if state
            else f"<p>Cluster {self.name}: {self._not_held()}</p>"
        )


_open: weakref.WeakSet[Cluster] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Close the clients of clusters nobody stopped; the supervisor sees the process end."""
    for cluster in list(_open):
        cluster._admin.close()
