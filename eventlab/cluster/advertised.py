"""Whether clients get to where a cluster sends them: the commonest trap of beginners.

A client asks a bootstrap server once, and from then on talks to the addresses that the brokers
advertise. A broker in a container or behind a firewall advertises one that holds there, and the
client waits for ever: hence these are called too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from eventlab.cluster import diagnosis
from eventlab.cluster.diagnosis import Diagnosis
from eventlab.cluster.meeting import Answer, Failure, Node
from eventlab.errors import ClusterUnreachable, EventlabError


def unusable(
    nodes: Iterable[Node],
    cluster_id: str,
    answers: Mapping[str, Answer],
    failures: Mapping[str, Failure],
) -> dict[int, Diagnosis]:
    """Return what is wrong with the address of each broker that clients cannot get to."""
    found: dict[int, Diagnosis] = {}
    for node in nodes:
        if node.address in failures:
            why = diagnosis.of(*failures[node.address])
        elif answers[node.address].cluster_id != cluster_id:
            why = Diagnosis(ClusterUnreachable, f"Another cluster answers at {node.address}.", "")
        else:
            continue
        found[node.node_id] = why._replace(seen=_seen(node, why.seen))
    return found


def refused(bootstrap: str, why: Diagnosis, error: Exception | None) -> EventlabError:
    """Return the error for a cluster of which no broker can be used."""
    fix = "Set advertised.listeners of each broker to an address that this machine can reach, such"
    made = why.kind(
        f"The cluster answers at {bootstrap}, but sends its clients to where they cannot get.",
        why.seen,
        f"{fix} as {bootstrap}." if why.kind is ClusterUnreachable else why.fix,
    )
    made.__cause__ = error
    return made


def _seen(node: Node, seen: str) -> str:
    return f"Broker {node.node_id} advertises {node.address}: {seen[0].lower()}{seen[1:]}"
