"""Which nodes a cluster has, and on which ports: free ones of the range, or those asked for."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace

from eventlab import environment
from eventlab.cluster.settings import Settings
from eventlab.errors import NotSupported, PortInUse

CONTROLLER_ID = 100  # far from the brokers' 1, 2, 3, so that nobody takes it for one
CLIENT, REPLICATION, CONTROLLER = "CLIENT", "REPLICATION", "CONTROLLER"
_LISTENERS = {"broker": (CLIENT, REPLICATION), "controller": (CONTROLLER,)}


@dataclass(frozen=True, slots=True)
class Listener:
    """One of a node's listeners: the port that it advertises, and the one that its JVM binds.

    Between them is a proxy of the supervisor's, so that a link can be cut.
    """

    name: str
    port: int
    behind: int


@dataclass(frozen=True, slots=True)
class Node:
    """One Kafka process."""

    node_id: int
    roles: tuple[str, ...]
    listeners: tuple[Listener, ...]

    @property
    def role(self) -> str:
        """The roles in one word or two: broker, controller, broker+controller."""
        return "+".join(self.roles)

    def port(self, name: str) -> int | None:
        """Return the advertised port of a listener, None where the role has no such listener."""
        return next((found.port for found in self.listeners if found.name == name), None)


def layout(settings: Settings) -> list[Node]:
    """Return the nodes of resolved settings, the controllers first."""
    free = free_ports(settings)
    brokers = range(1, (settings.brokers or 0) + 1)
    client = {node_id: next(free) for node_id in brokers}  # first: they may have been asked for

    def node(node_id: int, *roles: str) -> Node:
        names = [name for role in roles for name in _LISTENERS[role]]
        ports = {CLIENT: client.get(node_id)}
        listeners = (Listener(name, ports.get(name) or next(free), next(free)) for name in names)
        return Node(node_id, roles, tuple(listeners))

    if settings.topology == "combined":
        return [node(node_id, "broker", "controller") for node_id in brokers]
    return [node(CONTROLLER_ID, "controller"), *(node(n, "broker") for n in brokers)]


def without_proxies(node: Node) -> Node:
    """Return the node with listeners that its JVM binds itself: one that no supervisor starts."""
    listeners = (replace(at, port=at.behind) for at in node.listeners)
    return replace(node, listeners=tuple(listeners))


def free_ports(settings: Settings) -> Iterator[int]:
    """Yield ports nobody listens on: first those asked for, then random ones of the range."""
    asked = range(0)
    if settings.port is not None:
        asked = range(settings.port, settings.port + (settings.brokers or 1))
        for port in asked:
            _refuse_taken(port)
        yield from asked
    ports = environment.port_range()
    for port in random.sample(ports, len(ports)):
        if port not in asked and is_free(port):
            yield port
    raise PortInUse(
        "No free port is left for the cluster.",
        f"All ports from {ports[0]} to {ports[-1]} are taken.",
        "Set EVENTLAB_PORTS to another range, such as 30000-31999.",
    )


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port of 127.0.0.1 now."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise NotSupported(
                "This machine has no IPv4 loopback.",
                "127.0.0.1 is not an address of it.",
                "Bring up the loopback interface; brokers listen nowhere else.",
            ) from None
        return False
    return True


def _refuse_taken(port: int) -> None:
    if not is_free(port):
        owner = _listener(port)
        raise PortInUse(
            f"Port {port} is taken.",
            f"{owner} listens on it." if owner else "Another program listens on it.",
            "Use another port=, or leave it out to get free ones.",
        )


def _listener(port: int) -> str | None:
    import psutil  # imported late: only this message needs it here

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == "LISTEN" and connection.laddr and connection.laddr[1] == port:
                return f"Process {connection.pid}" if connection.pid else None
    except psutil.Error:  # other users' sockets are not ours to see
        return None
    return None
