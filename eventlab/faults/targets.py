"""Whom a fault is for: a cluster of ours, a node that is there, the leader of now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eventlab.cluster import topics
from eventlab.cluster.cluster import Cluster
from eventlab.errors import FaultRefused, InvalidSetting, UnknownNode, shown

WEEK = 7 * 86_400.0  # seconds, which everything that is awaited stays below


def ours(cluster: Cluster) -> Cluster:
    """Refuse anything but a running cluster of eventlab's own."""
    if not isinstance(cluster, Cluster):
        raise FaultRefused(
            "Faults are for clusters that eventlab runs.",
            f"You gave {shown(cluster)}.",
            "Start one with Cluster.start(), and break that.",
        )
    if not cluster.can:
        raise FaultRefused(
            "Faults are for clusters that eventlab runs.",
            f"This one is at {cluster.bootstrap_servers}, and others may be using it.",
            "Start one with Cluster.start(), and break that.",
        )
    return cluster


def broker(cluster: Cluster, node_id: int) -> int:
    """Return the node_id of a broker that there is."""
    return _known(node_id, list(ours(cluster).brokers), "broker")


def nodes(cluster: Cluster) -> list[int]:
    """Return the node_ids of all nodes."""
    return [node["node_id"] for node in ours(cluster).require_running()["nodes"]]


def node_ids(cluster: Cluster, given: Iterable[int]) -> list[int]:
    """Return these node_ids, at least one, all of which there must be."""
    known = nodes(cluster)
    asked = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else []
    if not asked:
        raise InvalidSetting(
            "A side of a partition is some node_ids.",
            f"You gave {shown(given)}.",
            f"Use a list of some of {', '.join(map(str, known))}, such as [{known[-1]}].",
        )
    return [_known(node_id, known, "node") for node_id in asked]


def others(cluster: Cluster, node_id: int) -> list[int]:
    """Return the node_ids of all other nodes; FaultRefused where there is none."""
    found = [node for node in nodes(cluster) if node != node_id]
    if not found:
        raise FaultRefused(
            f"Node {node_id} cannot be cut off from the others.",
            "It is the only one of its cluster.",
            "Start a cluster of more nodes: Cluster.start().",
        )
    return found


def _known(node_id: Any, known: list[int], what: str) -> int:
    if isinstance(node_id, bool) or node_id not in known:
        raise UnknownNode(
            f"The cluster has no {what} {shown(node_id)}.",
            f"It has {', '.join(map(str, known))}.",
            f"Use one of them, such as {known[0]}.",
        )
    return int(node_id)


def leader(cluster: Cluster, topic: str, partition: int) -> int:
    """Return the node_id of the broker that leads a partition now."""
    found = topics.partition(ours(cluster)._admin, topic, partition).leader
    if found == -1:
        raise FaultRefused(
            f"Partition {partition} of '{topic}' has no leader.",
            "Its replicas are not running, or not in sync.",
            "Mend the cluster first: faults.mend(cluster).",
        )
    return found


def followers(cluster: Cluster, topic: str, partition: int) -> list[int]:
    """Return the node_ids of the brokers that hold a replica of a partition and do not lead it."""
    leads = leader(cluster, topic, partition)
    replicas = topics.partition(cluster._admin, topic, partition).replicas
    found = [node for node in replicas if node != leads]
    if not found:
        raise FaultRefused(
            f"Partition {partition} of '{topic}' has no followers.",
            f"Broker {leads} has its only replica.",
            "Use a topic of a replication_factor of 2 or more.",
        )
    return found


def told(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the faults of a cluster as its supervisor tells them."""
    faults: list[dict[str, Any]] = cluster.status()["faults"]
    return faults
