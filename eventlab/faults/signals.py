"""Processes that are stopped (SIGTERM), killed (SIGKILL) or frozen (SIGSTOP)."""

from __future__ import annotations

import warnings
from typing import Any

from eventlab.cluster import backends
from eventlab.cluster.cluster import Cluster
from eventlab.errors import FaultRefused
from eventlab.faults import targets
from eventlab.faults.fault import Fault, pairs

_DONE = {"stop": "stopped", "kill": "killed", "freeze": "frozen"}


def broker_stopped(cluster: Cluster, node_id: int) -> Fault:
    """SIGTERM a broker: it hands its partitions to others, then ends."""
    return _done_to(cluster, [targets.broker(cluster, node_id)], "stop", f"broker {node_id}")


def broker_killed(cluster: Cluster, node_id: int) -> Fault:
    """SIGKILL a broker: it ends at once; others notice after the broker session timeout."""
    return _done_to(cluster, [targets.broker(cluster, node_id)], "kill", f"broker {node_id}")


def broker_frozen(cluster: Cluster, node_id: int) -> Fault:
    """SIGSTOP a broker: its connections stay open and nobody answers."""
    return _done_to(cluster, [targets.broker(cluster, node_id)], "freeze", f"broker {node_id}")


def leader_stopped(cluster: Cluster, topic: str, partition: int = 0) -> Fault:
    """SIGTERM the broker that leads a partition now."""
    return _done_to_leader(cluster, topic, partition, "stop")


def leader_killed(cluster: Cluster, topic: str, partition: int = 0) -> Fault:
    """SIGKILL the broker that leads a partition now."""
    return _done_to_leader(cluster, topic, partition, "kill")


def leader_frozen(cluster: Cluster, topic: str, partition: int = 0) -> Fault:
    """SIGSTOP the broker that leads a partition now."""
    return _done_to_leader(cluster, topic, partition, "freeze")


def followers_frozen(cluster: Cluster, topic: str, partition: int = 0) -> Fault:
    """SIGSTOP every replica of a partition but its leader: what is written stays there alone.

    Their connections to the leader are reset first: it would answer the fetches that are under
    way, and a follower that thaws would find the answer in its socket.
    """
    leader = targets.leader(cluster, topic, partition)
    others = targets.followers(cluster, topic, partition)
    # Where single links cannot be cut the followers are cut off from all, which they do not feel.
    ends = [leader] if backends.CUT_LINKS in cluster.can else targets.nodes(cluster)
    cut = {"links": pairs(ends, others), "rule": {"mode": "refused"}}
    target = f"followers of {topic}-{partition}"
    return _done_to(cluster, others, "freeze", target, "followers", **cut)


def controller_killed(cluster: Cluster) -> Fault:
    """SIGKILL the active controller."""
    node_id = targets.ours(cluster).controller.node_id
    return _done_to(cluster, [node_id], "kill", f"controller {node_id}", "controller")


def controller_frozen(cluster: Cluster) -> Fault:
    """SIGSTOP the active controller."""
    node_id = targets.ours(cluster).controller.node_id
    return _done_to(cluster, [node_id], "freeze", f"controller {node_id}", "controller")


def _done_to_leader(cluster: Cluster, topic: str, partition: int, verb: str) -> Fault:
    leader = targets.leader(cluster, topic, partition)
    target = f"broker {leader}, leader of {topic}-{partition}"
    return _done_to(cluster, [leader], verb, target, "leader")


def _done_to(
    cluster: Cluster,
    nodes: list[int],
    verb: str,
    target: str,
    whom: str = "broker",
    **cut: Any,
) -> Fault:
    states = {node["node_id"]: node["state"] for node in cluster.status()["nodes"]}
    for node in nodes:
        if states[node] != "running":
            raise FaultRefused(
                f"Node {node} cannot be {_DONE[verb]}.",
                f"It is {states[node]}.",
                "Mend it first: faults.mend(cluster).",
            )
    if not any(states[node] == "running" for node in cluster.brokers if node not in nodes):
        warnings.warn("No broker will be left that answers.", stacklevel=4)
    verbs = {str(node): verb for node in nodes}
    return Fault(cluster, f"{whom} {_DONE[verb]}", target, {"verbs": verbs, **cut})
