"""Break one thing of a live cluster; it is always mended.

    with faults.leader_killed(cluster, "orders", partition=0):     # mended when the block ends
        ...
    fault = faults.broker_isolated(cluster, 2)                     # in a notebook: broken now,
    fault.mend()                                                   # mended when you have seen it

Stopped is SIGTERM, killed SIGKILL, frozen SIGSTOP. A link that is lost passes nothing, not even
the end of a connection; a link that is refused resets connections. Faults of one node or link add
up: it is whole when the last of them is mended. What a notebook leaves broken is mended when it
gives the cluster up, or when its kernel ends, however it ends.
"""

from __future__ import annotations

from eventlab.faults.cluster import frame, mend, rolling_restart
from eventlab.faults.fault import Fault
from eventlab.faults.links import (
    broker_isolated,
    clients_cut,
    clients_slow,
    connections_reset,
    controller_isolated,
    leader_isolated,
    link_slow,
    partitioned,
)
from eventlab.faults.signals import (
    broker_frozen,
    broker_killed,
    broker_stopped,
    controller_frozen,
    controller_killed,
    followers_frozen,
    leader_frozen,
    leader_killed,
    leader_stopped,
)
from eventlab.faults.storm import KINDS, Storm, storm

__all__ = [
    "KINDS",
    "Fault",
    "Storm",
    "broker_frozen",
    "broker_isolated",
    "broker_killed",
    "broker_stopped",
    "clients_cut",
    "clients_slow",
    "connections_reset",
    "controller_frozen",
    "controller_isolated",
    "controller_killed",
    "followers_frozen",
    "frame",
    "leader_frozen",
    "leader_isolated",
    "leader_killed",
    "leader_stopped",
    "link_slow",
    "mend",
    "partitioned",
    "rolling_restart",
    "storm",
]
