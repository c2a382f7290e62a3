"""One Kafka process of a cluster: what it is, and what one can do to it."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any

from eventlab.cluster import backends, control, show
from eventlab.errors import ClusterNotRunning, NeverHappened, NotSupported, UnknownNode

if TYPE_CHECKING:
    from eventlab.cluster.cluster import Cluster


_FREEZE = {"freeze": backends.FREEZE, "thaw": backends.FREEZE}
_NEEDS = {"stop": backends.STOP, "start": backends.STOP, "kill": backends.KILL} | _FREEZE


class Brokers(dict[int, "Broker"]):
    """The brokers by node_id; UnknownNode for an id that none has."""

    def __missing__(self, node_id: object) -> Broker:
        raise UnknownNode(
            f"The cluster has no broker {node_id!r}.",
            f"It has {', '.join(map(str, self))}.",
            f"Use one of them, such as cluster.brokers[{next(iter(self))}].",
        )


class Broker:
    """A node of a cluster: a broker, the controller, or both in one.

    The verbs act on the real process and return the broker itself: `stop` is SIGTERM, `kill`
    SIGKILL, `freeze` SIGSTOP, `thaw` SIGCONT; `start` returns when it is back in the cluster.
    """

    def __init__(self, cluster: Cluster, told: dict[str, Any]) -> None:
        self._cluster = cluster
        self.node_id: int = told["node_id"]
        self.role: str = told["role"]
        self.address: str = told["address"]

    @property
    def state(self) -> str:
        """One of starting, running, frozen, stopped, killed, failed; of a container also removed.

        "unknown" while the Docker engine does not answer.
        """
        return str(self._told()["state"])

    @property
    def pid(self) -> int | None:
        """The process id, or None while there is no process."""
        pid: int | None = self._told()["pid"]
        return pid

    def stop(self) -> Broker:
        """End the process in order: a broker hands its partitions to others first."""
        return self._do("stop")

    def kill(self) -> Broker:
        """End the process at once, with nothing handed over and nothing flushed."""
        return self._do("kill")

    def freeze(self) -> Broker:
        """Halt the process where it is; its connections stay open and nobody answers."""
        return self._do("freeze")

    def thaw(self) -> Broker:
        """Let a frozen process go on."""
        return self._do("thaw")

    def start(self) -> Broker:
        """Start the process again on its data, and return when it is back; nothing if it runs."""
        self._do("start", within=60)
        state = self.state
        if state != "running":
            raise NeverHappened(
                f"Node {self.node_id} did not come back.",
                f"It is {state}.",
                f"Look at what it says: cluster.brokers[{self.node_id}].log().",
            )
        return self

    def restart(self) -> Broker:
        """Stop and start."""
        return self.stop().start()

    def log(self, lines: int = 20) -> str:
        """Return the last lines that the node wrote to its log."""
        text = self._ask("log")["log"]
        return "\n".join(text.splitlines()[-lines:])

    def read(self, path: str) -> bytes:
        """Return the first mebibyte of a file of the node, such as a segment of a partition.

        `path` is one that Kafka tells of, wherever the node runs; FileNotFoundError for no file.
        """
        told = self._ask("read", path=str(path))["read"]
        if told is None:
            raise FileNotFoundError(path)
        return base64.b64decode(told)

    def _ask(self, what: str, **given: Any) -> dict[str, Any]:
        if self._cluster.backend == "external":
            raise NotSupported(
                "What a broker that others run has written is not here.",
                f"Its address is {self.address}.",
                "Ask whoever runs it.",
            )
        return control.ask(self._cluster.folder, what, node_id=self.node_id, **given)

    def _do(self, verb: str, within: float = 30) -> Broker:
        backends.require(self._cluster, _NEEDS[verb])
        asked = {"pid": os.getpid(), "node_id": self.node_id, "verb": verb}
        control.ask(self._cluster.folder, "node", within, **asked)
        return self

    def _told(self) -> dict[str, Any]:
        for told in self._cluster.status()["nodes"]:
            if told["node_id"] == self.node_id:
                node: dict[str, Any] = told
                return node
        raise control.not_running(self._cluster.name, f"it has no node {self.node_id}")

    def _row(self) -> dict[str, Any]:
        try:
            return self._told()
        except ClusterNotRunning:
            gone = {"node_id": self.node_id, "role": self.role, "state": "gone"}
            return gone | {"pid": None, "address": self.address}

    def __repr__(self) -> str:
        return show.node_line(self._row())

    def _repr_html_(self) -> str:
        return show.table([self._row()], show.NODE_COLUMNS)
