"""How brokers are asked: all at once, each for a short time, on connections that end with a call.

KafkaAdminClient asks one broker after the other and gives no answer at all when one is missing.
So observation stands on what that client stands on itself, kafka-python's connection manager: a
broker that is frozen costs a second, and what the others know is known. `messages` has what is
asked. Nothing private of kafka-python is used.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.future import Future
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from eventlab.cluster import security
from eventlab.cluster.clients import connected, quiet
from eventlab.cluster.cluster import Cluster
from eventlab.errors import InvalidSetting, shown
from eventlab.observe import messages
from eventlab.waiting import Deadline, wait_until

WITHIN = 5.0  # seconds until some broker has to have answered
SILENCE = 1.0  # seconds that one broker is waited for: a frozen one must not hide the others

Answers = dict[Any, list[Any]]
Target = Cluster | str | Mapping[str, Any]  # the last one as clients of kafka-python are given it


class Client:
    """Connections to the brokers of a cluster; whoever opens it closes it.

    `unknown` has a sentence for each broker or partition that could not be asked, `informed` the
    brokers that have answered, the best informed first; both are those of one look.
    """

    def __init__(self, cluster: Target) -> None:
        self.cluster = cluster
        self.unknown: dict[Any, str] = {}
        self.informed: list[int] = []
        self._met = False
        self._owed: dict[Any, Future] = {}
        self._address = address_of(cluster)
        config = {
            **self._address,
            "client_id": "eventlab-observe",
            "reconnect_backoff_max_ms": 500,
            "request_timeout_ms": int(Deadline(4).seconds * 1000),
            "socket_connection_setup_timeout_ms": int(Deadline(2).seconds * 1000),
            "receive_message_max_bytes": 100_000_000,
        }
        quiet()
        self._net = NetworkSelector(**config)
        self._manager = KafkaConnectionManager(self._net, **config)
        self._net.start()

    def begin(self) -> None:
        """Begin a look: what was not learned before, and who told best, is no part of it."""
        self.unknown, self.informed = {}, []

    def close(self) -> None:
        """End the connections and their thread; a question that is under way fails."""
        with suppress(RuntimeError, KafkaError):  # it is closed, or is being closed
            # Where connections are made: from another thread one that is half made is missed.
            self._net.run(self._manager.close)
        self._net.close()

    def everyone(self, question: Callable[[], list[Any]]) -> Answers:
        """Ask every broker the same; return the answers of those who gave all.

        Asked again until one answers: ClusterNotRunning when the cluster has ended meanwhile,
        NeverHappened when all are silent.
        """

        def answers() -> Answers:
            asked = {node: [messages.cluster(), *question()] for node in self._brokers()}
            told = self.ask(asked)
            if not told and isinstance(self.cluster, Cluster):
                self.cluster.status()
            fenced, there = messages.fenced(first for first, *_ in told.values())
            self._met = there == set(asked)
            # A broker that is cut off goes on telling what it knew; the others say it is fenced.
            self.informed = sorted(told, key=lambda node: fenced[node])
            return {node: rest for node, (_, *rest) in told.items()}

        return wait_until(answers, WITHIN, "No broker of the cluster answered.")

    def ask(self, questions: Mapping[Any, Sequence[Any]]) -> Answers:
        """Ask each broker its questions, all at once; return the answers of those who gave all.

        One that is not known was away when the others were met: they are met anew.
        """
        if not all(map(self._manager.cluster.broker_metadata, questions)):
            self._net.run(self._meet, Deadline(SILENCE))
        answers, silent = self._net.run(self._gather, questions, Deadline(SILENCE))
        for node, error in silent.items():
            why = type(error).__name__
            self.unknown.setdefault(node, f"Broker {node} did not answer ({why}).")
        return {node: told for node, told in answers.items() if node not in silent}

    async def _gather(
        self, questions: Mapping[Any, Sequence[Any]], deadline: Deadline
    ) -> tuple[Answers, dict[Any, KafkaError]]:
        sent = [(node, self._send(node, one)) for node, each in questions.items() for one in each]
        answers: Answers = {node: [] for node in questions}
        silent: dict[Any, KafkaError] = {}
        for node, future in sent:
            try:
                answers[node].append(await self._manager.wait_for(future, deadline.left * 1000))
            except KafkaError as error:
                silent.setdefault(node, error)
                if not future.is_done:
                    self._owed[node] = future
        return answers, silent

    def _send(self, node: Any, question: Any) -> Future:
        """Send a question, unless the broker owes an answer still: none is waited for twice."""
        if node in self._owed and not self._owed[node].is_done:
            return Future().failure(KafkaTimeoutError("an answer is owed"))
        try:  # no refresh of its own after an error: each look asks who is there
            connection = self._manager.get_connection(node, refresh_metadata_on_err=False)
            return connection.send_request(question)
        except KafkaError as error:  # it was tried a moment ago, or is no broker any more
            return Future().failure(error)

    def _brokers(self) -> list[Any]:
        """Return the ids of the brokers, asked of the given addresses at first."""
        if not self._met:
            self._net.run(self._meet, Deadline(SILENCE))
        return [broker.node_id for broker in self._manager.cluster.brokers()]

    async def _meet(self, deadline: Deadline) -> None:
        """Learn from whoever answers first."""
        cluster, met = self._manager.cluster, Future()
        given = [broker.node_id for broker in cluster.bootstrap_brokers()]
        for node in [*given, *(broker.node_id for broker in cluster.brokers())]:
            sent = self._send(node, messages.brokers())
            sent.add_callback(lambda answer: met.is_done or met.success(answer))
        try:
            cluster.update_metadata(await self._manager.wait_for(met, deadline.left * 1000))
        except KafkaError:
            return
        for node in given:  # from here on each is asked under its own id
            self._manager.close(node)

    def consumer(
        self, nodes: Iterable[Any], deadline: Deadline, config: dict[str, Any]
    ) -> KafkaConsumer:
        """Return a KafkaConsumer of no group, led to these brokers; the caller closes it."""
        brokers = map(self._manager.cluster.broker_metadata, nodes)
        servers = [f"{broker.host}:{broker.port}" for broker in brokers]
        return connected(
            KafkaConsumer,
            client_id="eventlab-observe",
            bootstrap_timeout_ms=int(deadline.left * 1000),
            reconnect_backoff_max_ms=500,
            auto_offset_reset="none",
            max_poll_records=1000,
            **self._address | config | {"bootstrap_servers": servers},
        )


@contextmanager
def opened(cluster: Target | Client) -> Iterator[Client]:
    """Give a client of the cluster, closed afterwards; a client is used as it is.

    Warns of what could not be learned, in the line that called the caller.
    """
    if isinstance(cluster, Client):
        cluster.begin()
        yield cluster
        return
    client = Client(cluster)
    try:
        yield client
    finally:
        client.close()
    for sentence in client.unknown.values():
        warnings.warn(sentence, stacklevel=4)


def address_of(cluster: object) -> dict[str, Any]:
    """Return where the brokers are, and how to talk to them; InvalidSetting for no cluster."""
    if isinstance(cluster, Cluster):
        return cluster.client_config
    if isinstance(cluster, Mapping) and "bootstrap_servers" in cluster:
        given = dict(cluster)
        return security.client_config(given.pop("bootstrap_servers"), given)
    if isinstance(cluster, str):
        with suppress(InvalidSetting):
            return security.client_config(cluster)
    seen = security.Secured(cluster) if isinstance(cluster, Mapping) else cluster
    raise InvalidSetting(
        "This is no cluster.",
        f"You gave {shown(seen)}.",
        "Give a Cluster, or the addresses of brokers such as '127.0.0.1:9092'.",
    )
