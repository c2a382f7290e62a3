"""Whom a fault is for: a cluster of ours, a node that is there, the leader of now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eventlab.cluster import topics
from eventlab.cluster.cluster import Cluster
from eventlab.errors import FaultRefused, UnknownNode, shown


def ours(cluster: Cluster) -> Cluster:
    """Refuse anything but a running cluster of eventlab's own."""
    if not isinstance(cluster, Cluster):
        raise FaultRefused(
            "Faults are for clusters that eventlab runs.",
            f"You gave {shown(cluster)}.",
            "Start one with Cluster.start(), and break that.",
        )
    cluster.require_running()
    return cluster


def broker(cluster: Cluster, node_id: int) -> int:
    """Return the node_id of a broker that there is."""
    return ours(cluster).brokers[node_id].node_id


def nodes(cluster: Cluster) -> list[int]:
    """Return the node_ids of all nodes."""
    return [node["node_id"] for node in ours(cluster).require_running()["nodes"]]


def node_ids(cluster: Cluster, given: Iterable[int]) -> list[int]:
    """Return these node_ids, all of which there must be."""
    known, asked = nodes(cluster), list(given)
    for node_id in asked:
        if node_id not in known:
            raise UnknownNode(
                f"The cluster has no node {shown(node_id)}.",
                f"It has {', '.join(map(str, known))}.",
                "Use some of them.",
            )
    return asked


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
    return [node for node in replicas if node != leads]


def told(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the faults of a cluster as its supervisor tells them."""
    faults: list[dict[str, Any]] = cluster.status()["faults"]
    return faults
