"""Several brokers called at the same time, and what each says of the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from kafka.errors import IncompatibleBrokerVersion
from kafka.protocol.admin import DescribeClusterRequest
from kafka.protocol.broker_version_data import BROKER_API_VERSIONS
from kafka.protocol.metadata import MetadataRequest

from eventlab.cluster import addresses
from eventlab.cluster.wire import FAILURES, Wire
from eventlab.waiting import Deadline


class Node(NamedTuple):
    """A broker as the cluster tells of it."""

    node_id: int
    address: str
    fenced: bool


class Answer(NamedTuple):
    """What one broker says of itself and of its cluster."""

    cluster_id: str
    version: str
    nodes: tuple[Node, ...]


class Failure(NamedTuple):
    """A call that ended without an answer, and why."""

    call: Wire
    error: Exception


def call(
    them: Iterable[str], settings: Mapping[str, Any], deadline: Deadline
) -> tuple[dict[str, Answer], dict[str, Failure]]:
    """Call all of these addresses at once; return who answered what, and who did not."""
    there = list(dict.fromkeys(them))
    calls = [Wire(address, settings, deadline) for address in there]
    with ThreadPoolExecutor(max(1, len(there)), "eventlab-call") as pool:
        told = dict(zip(there, pool.map(_ask, calls), strict=True))
    answers = {at: each for at, each in told.items() if isinstance(each, Answer)}
    return answers, {at: each for at, each in told.items() if isinstance(each, Failure)}


def _ask(call: Wire) -> Answer | Failure:
    with call:
        try:
            call.open()
            return _answer(call)
        except FAILURES as error:
            return Failure(call, error)


def _answer(call: Wire) -> Answer:
    """Ask which brokers there are; no topic is asked for, hence none created."""
    told = call.ask(MetadataRequest(topics=[], allow_auto_topic_creation=False))
    nodes = {each.node_id: _node(each.node_id, each, False) for each in told.brokers}
    try:  # it alone tells of fenced ones (KIP-1073)
        question = DescribeClusterRequest(include_fenced_brokers=True, min_version=2)
        more = call.ask(question).brokers
    except IncompatibleBrokerVersion:
        more = []
    nodes |= {each.broker_id: _node(each.broker_id, each, each.is_fenced) for each in more}
    return Answer(str(told.cluster_id), _version(call), tuple(nodes[key] for key in sorted(nodes)))


def _node(node_id: int, told: Any, fenced: bool) -> Node:
    return Node(node_id, addresses.join(told.host, told.port), fenced)


def _version(call: Wire) -> str:
    """Return Kafka's version as far as the broker tells: by what it understands."""
    found = call.versions.broker_version
    newer = " or newer" if found == max(BROKER_API_VERSIONS) else ""
    return f"{call.versions.broker_version_str}{newer}"
