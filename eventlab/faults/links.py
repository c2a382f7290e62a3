"""Links that are cut or slow: between nodes, and from clients to brokers."""

from __future__ import annotations

from collections.abc import Iterable

from eventlab.cluster import backends
from eventlab.cluster.cluster import Cluster
from eventlab.cluster.supervisor.link import CLIENTS
from eventlab.errors import InvalidSetting, shown
from eventlab.faults import targets
from eventlab.faults.fault import Fault, pairs


def broker_isolated(cluster: Cluster, node_id: int, *, refused: bool = False) -> Fault:
    """Cut a broker off from all other nodes; clients still reach it.

    It goes on to serve them as the leader it was, until it learns that it is none (KIP-631).
    """
    others = targets.others(cluster, targets.broker(cluster, node_id))
    target = f"broker {node_id}"
    backends.require(cluster, backends.ISOLATE)
    return _cut(cluster, "broker isolated", target, pairs([node_id], others), refused)


def leader_isolated(
    cluster: Cluster, topic: str, partition: int = 0, *, refused: bool = False
) -> Fault:
    """Cut the broker that leads a partition off from all other nodes; clients still reach it."""
    leader = targets.leader(cluster, topic, partition)
    others = targets.others(cluster, leader)
    target = f"broker {leader}, leader of {topic}-{partition}"
    backends.require(cluster, backends.ISOLATE)
    return _cut(cluster, "leader isolated", target, pairs([leader], others), refused)


def controller_isolated(cluster: Cluster, *, refused: bool = False) -> Fault:
    """Cut the active controller off from all other nodes."""
    active = targets.ours(cluster).controller.node_id
    others = targets.others(cluster, active)
    target = f"controller {active}"
    backends.require(cluster, backends.ISOLATE)
    return _cut(cluster, "controller isolated", target, pairs([active], others), refused)


def partitioned(
    cluster: Cluster, one: Iterable[int], other: Iterable[int], *, refused: bool = False
) -> Fault:
    """Cut the links between two groups of nodes, in both directions."""
    sides = _sides(cluster, one, other)
    backends.require(cluster, backends.CUT_LINKS)
    target = " | ".join(", ".join(map(str, side)) for side in sides)
    return _cut(cluster, "network partitioned", target, pairs(*sides), refused)


def clients_cut(cluster: Cluster, node_id: int, *, refused: bool = False) -> Fault:
    """Cut all clients off from one broker; the other nodes still reach it."""
    links = pairs([CLIENTS], [targets.broker(cluster, node_id)])
    backends.require(cluster, backends.CUT_CLIENTS)
    return _cut(cluster, "clients cut off", f"broker {node_id}", links, refused)


def clients_slow(
    cluster: Cluster, node_id: int | None = None, *, latency: float = 0.0, rate: float = 0.0
) -> Fault:
    """Slow what clients send to a broker (or to all) and what they get back.

    `latency` is added to a round trip, in seconds; `rate` is the most that a link passes in each
    direction, in bytes a second (0: no limit), whatever the number of its connections.
    """
    brokers = (
        list(targets.ours(cluster).brokers)
        if node_id is None
        else [targets.broker(cluster, node_id)]
    )
    target = "all brokers" if node_id is None else f"broker {node_id}"
    links, needs = pairs([CLIENTS], brokers), backends.SLOW_CLIENTS
    return _slow(cluster, "clients slow", target, links, latency, rate, needs)


def link_slow(
    cluster: Cluster, one: int, other: int, *, latency: float = 0.0, rate: float = 0.0
) -> Fault:
    """Slow the link between two nodes; `latency` and `rate` as in `clients_slow`."""
    links = pairs(*_sides(cluster, [one], [other]))
    needs = backends.SLOW_LINKS
    return _slow(cluster, "link slow", f"{one} - {other}", links, latency, rate, needs)


def connections_reset(cluster: Cluster, node_id: int) -> None:
    """Reset the connections that clients have with a broker now; new ones are taken at once."""
    clients_cut(cluster, node_id, refused=True).mend()


def _sides(cluster: Cluster, one: Iterable[int], other: Iterable[int]) -> list[list[int]]:
    """Return the node_ids of two groups that have none in common."""
    sides = [targets.node_ids(cluster, one), targets.node_ids(cluster, other)]
    if set(sides[0]) & set(sides[1]):
        raise InvalidSetting(
            "A node cannot be on both sides.",
            f"You gave {shown(sides[0])} and {shown(sides[1])}.",
            "Name each node once.",
        )
    return sides


def _cut(
    cluster: Cluster, name: str, target: str, links: list[tuple[str, str]], refused: bool
) -> Fault:
    rule = {"mode": "refused" if refused else "lost"}
    return Fault(cluster, name, target, {"links": links, "rule": rule})


def _slow(
    cluster: Cluster,
    name: str,
    target: str,
    links: list[tuple[str, str]],
    latency: float,
    rate: float,
    needs: str,
) -> Fault:
    for what, value in (("latency", latency), ("rate", rate)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            raise InvalidSetting(
                f"{what} cannot be this.",
                f"You gave {shown(value)}.",
                "Use latency in seconds, such as 0.1, or rate in bytes a second, such as 375_000.",
            )
    if not latency and not rate:
        raise InvalidSetting(
            "A slow link needs a latency or a rate.",
            "You gave neither.",
            "Use latency=0.1 for 100 ms a round trip, or rate=375_000 for 3 Mbit/s.",
        )
    backends.require(cluster, needs)
    rule = {"seconds": latency / 2, "rate": rate}
    return Fault(cluster, name, target, {"links": links, "rule": rule})
