"""What can be done to the nodes and links of a cluster, by what runs it.

Processes of this machine have proxies in front of all their listeners, so every link can be cut or
slowed. Containers have them in front of those for clients; to each other they are linked by a
network, which a container can be taken off. A cluster that is not ours is never harmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventlab.errors import FaultRefused

if TYPE_CHECKING:
    from eventlab.cluster.cluster import Cluster

STOP, KILL, FREEZE = "stop", "kill", "freeze"  # a node
ISOLATE = "isolate"  # a node, from all others
CUT_CLIENTS, SLOW_CLIENTS = "cut clients", "slow clients"  # off a broker, or what they send it
CUT_LINKS, SLOW_LINKS = "cut links", "slow links"  # single ones, between nodes

_FOUND = frozenset({STOP, KILL, FREEZE, ISOLATE})
_MADE = _FOUND | {CUT_CLIENTS, SLOW_CLIENTS}
CAN = {
    "embedded": _MADE | {CUT_LINKS, SLOW_LINKS},
    "made": _MADE,  # containers of eventlab's
    "found": _FOUND,  # containers of a `docker compose up`: clients are told their own ports
    "external": frozenset[str](),
}


def require(cluster: Cluster, word: str) -> None:
    """Refuse what cannot be done to this cluster where it runs."""
    if word not in cluster.can:
        raise FaultRefused(
            f"To this cluster nobody can do this: {word}.",
            f"Its backend '{cluster.backend}' can: {', '.join(sorted(cluster.can)) or 'nothing'}.",
            "Use Cluster.start(backend='embedded') for it.",
        )
