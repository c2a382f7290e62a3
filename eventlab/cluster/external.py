"""A cluster that somebody else runs: met within seconds, asked, and left as it was found.

external = External("kafka.example.com:9093", security, prefix="eventlab-ada-")
external.connect()                  # or an error that says what is wrong, and what to set
KafkaProducer(**external.client_config).send(external.name_of("orders"), b"first")
"""

from __future__ import annotations

import getpass
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from kafka.errors import KafkaError

from eventlab import environment
from eventlab.cluster import advertised, backends, diagnosis, meeting, security, topics
from eventlab.cluster.admin import Admin
from eventlab.cluster.made import Made
from eventlab.cluster.meeting import Answer, Failure, Node
from eventlab.errors import ClusterUnreachable, EventlabError, InvalidSetting, NotOurs, shown
from eventlab.waiting import Deadline

WITHIN = 5.0  # seconds until it is known that there is a cluster, or why there is none
SILENCE = 1.0  # seconds that a broker is waited for when it is asked how it is
_LONGEST = 100  # characters of a prefix: a topic has 249


class External:
    """The cluster at these addresses, talked to in this way; names on it begin with `prefix`.

        external = External("kafka.example.com:9093", security, prefix="eventlab-ada-")
        external.connect()              # or an error that says what is wrong, and what to set
        KafkaProducer(**external.client_config).send(external.name_of("orders"), b"first")

    Nothing is sent to it before `connect`. `client_config` is what clients of kafka-python take
    with `**`. What this user's eventlab has not made is not deleted.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        settings: Mapping[str, Any] | None = None,
        prefix: str | None = None,
    ) -> None:
        self.client_config = security.client_config(bootstrap_servers, settings)
        self.prefix = default_prefix() if prefix is None else prefix
        self._cluster_id = self._version = "unknown"
        self._nodes: tuple[Node, ...] = ()
        _check_prefix(self.prefix)

    @classmethod
    def from_environment(
        cls,
        bootstrap_servers: str | None = None,
        settings: Mapping[str, Any] | None = None,
        prefix: str | None = None,
    ) -> External:
        """Return one of what is given and, for the rest, of what the environment tells."""
        servers = bootstrap_servers or environment.value("EVENTLAB_SERVERS")
        if not servers:
            raise InvalidSetting(
                "No address of a cluster is given.",
                "EVENTLAB_SERVERS is not set.",
                "Use Cluster.connect('kafka.example.com:9092'), or set it.",
            )
        return cls(servers, security.from_environment() if settings is None else settings, prefix)

    @property
    def security(self) -> dict[str, Any]:
        """How to talk to it, as clients take it beside the addresses."""
        return {k: v for k, v in self.client_config.items() if k != "bootstrap_servers"}

    @property
    def bootstrap_servers(self) -> str:
        """The addresses that were given."""
        return str(self.client_config["bootstrap_servers"])

    def connect(self, within: float = WITHIN) -> dict[str, Any]:
        """Return `status()` as soon as it is known that clients can use the cluster.

        ClusterUnreachable, AccessRefused or CertificateRefused when they cannot; a warning for each
        broker that advertises what cannot be used while others can be.
        """
        deadline = Deadline(within * 0.6)  # what is left is for finding out what is wrong
        answers, failures = self._call(self._given(), Deadline(within / 2))
        if not answers:
            raise self._no_connection(failures.values())
        self._learn(answers.values())
        there = [node for node in self._nodes if not node.fenced]
        if not there:
            raise ClusterUnreachable(
                "The cluster has no broker.",
                f"{next(iter(answers))} answers, and knows of none that is running.",
                "Try again in some seconds, and look at the logs of its controllers.",
            )
        others = [node.address for node in there if node.address not in answers]
        more, lost = self._call(others, deadline)
        self._check_advertised(there, answers | more, lost)
        return self._state({*answers, *more})

    def status(self) -> dict[str, Any]:
        """Return the state of the cluster and its brokers in the shape of `eventlab status --json`.

        Those that do not answer within a second are "silent"; after `connect` it never raises.
        """
        known = [node.address for node in self._nodes]
        answers, _ = self._call([*known, *self._given()], Deadline(SILENCE))
        self._learn(answers.values())
        return self._state(answers)

    def name_of(self, name: str) -> str:
        """Return what a topic or a group of this name is called on the shared cluster."""
        return name if name.startswith(self.prefix) else f"{self.prefix}{name}"

    def create_topic(self, admin: Admin, name: str, shape: dict[str, Any], fresh: bool) -> None:
        """Create a topic under its prefix; NotOurs for `fresh=True` when others have made it."""
        topic = self.name_of(name)
        if fresh:
            self._refuse_foreign(admin, topic)
        if topics.create(admin, topic, shape, fresh):
            Made(self._cluster_id).add(topic)
            self._await_coordinator(admin)

    def _await_coordinator(self, admin: Admin) -> None:
        """Return when groups can be used: a cluster that had none makes a topic for them first."""
        asked = [self.name_of("eventlab-ready")]
        with suppress(KafkaError):  # "no such group", or "not for you", is an answer too
            admin.ask(lambda client: client.describe_groups(asked), "The coordinator of groups")

    def delete_topic(self, admin: Admin, name: str) -> None:
        """Delete a topic that this user's eventlab has made; NotOurs, or UnknownTopic."""
        topic = self.name_of(name)
        self._refuse_foreign(admin, topic)
        topics.delete(admin, topic)
        Made(self._cluster_id).forget(topic)

    def _refuse_foreign(self, admin: Admin, topic: str) -> None:
        if topic in Made(self._cluster_id):
            return
        if topic in admin.ask(lambda client: client.list_topics(), "The list of topics"):
            raise NotOurs(
                f"Topic '{topic}' is not deleted: others may need its records.",
                "It was not made by this user's eventlab.",
                "Use another name; or let whoever made it delete it.",
            )

    def _given(self) -> list[str]:
        return self.bootstrap_servers.split(",")

    def _call(
        self, them: Iterable[str], deadline: Deadline
    ) -> tuple[dict[str, Answer], dict[str, Failure]]:
        return meeting.call(them, self.client_config, deadline)

    def _learn(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            self._cluster_id, self._version, self._nodes = answer

    def _state(self, answered: Iterable[str]) -> dict[str, Any]:
        there = set(answered)
        return {
            "backend": "external",
            "can": sorted(backends.CAN["external"]),
            "name": "external",
            "cluster_id": self._cluster_id,
            "kafka_version": self._version,
            "bootstrap_servers": self.bootstrap_servers,
            "settings": {},
            "nodes": [_described(node, node.address in there) for node in self._nodes],
            "faults": [],
            "owners": [],
            "kept": True,
            "ending": False,
        }

    def _no_connection(self, failures: Iterable[Failure]) -> EventlabError:
        """Return why nobody could be asked: of several, the call that came farthest tells most."""
        farthest = max(failures, key=lambda failure: failure.call.step)
        found = diagnosis.of(*farthest)
        made = found.kind(
            f"There is no connection to the cluster at {self.bootstrap_servers}.",
            found.seen,
            found.fix,
        )
        made.__cause__ = farthest.error
        return made

    def _check_advertised(
        self, there: list[Node], answers: Mapping[str, Answer], lost: Mapping[str, Failure]
    ) -> None:
        """Refuse a cluster of which no broker can be used, and warn of each of several."""
        wrong = advertised.unusable(there, self._cluster_id, answers, lost)
        if len(wrong) == len(there):
            first = there[0]
            error = lost[first.address].error if first.address in lost else None
            bootstrap = next(address for address in self._given() if address in answers)
            raise advertised.refused(bootstrap, wrong[first.node_id], error)
        for why in wrong.values():
            warnings.warn(why.seen, stacklevel=3)  # the caller of `connect`


def _described(node: Node, answers: bool) -> dict[str, Any]:
    state = "fenced" if node.fenced else "running" if answers else "silent"
    return {
        "node_id": node.node_id,
        "role": "broker",
        "state": state,
        "pid": None,
        "address": node.address,
        "reachable": answers,
    }


def default_prefix() -> str:
    """Return EVENTLAB_PREFIX ("none" for no prefix), or that of this user: `eventlab-ada-`.

    On a JupyterHub all are the same user of their container, so it is the hub's name that counts.
    """
    told = environment.value("EVENTLAB_PREFIX")
    if told:
        return "" if told == "none" else told
    try:
        user = environment.value("JUPYTERHUB_USER") or getpass.getuser()
    except (OSError, KeyError):  # a container may run under a number without a name
        user = f"u{os.getuid()}"
    return f"eventlab-{re.sub('[^A-Za-z0-9._-]', '-', user)[:50]}-"


def _check_prefix(prefix: object) -> None:
    fits = isinstance(prefix, str) and (not prefix or topics.NAME.fullmatch(prefix))
    if not (fits and len(str(prefix)) <= _LONGEST):
        raise InvalidSetting(
            "Names cannot begin with this prefix.",
            f"You gave {shown(prefix)}.",
            f"Use up to {_LONGEST} ASCII letters, digits, '.', '_' or '-': 'eventlab-ada-'.",
        )
