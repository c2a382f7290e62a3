"""Which nodes a cluster has, and on which ports: free ones of the range, or those asked for."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from eventlab import environment
from eventlab.cluster.settings import Settings
from eventlab.errors import NotSupported, PortInUse

CONTROLLER_ID = 100  # far from the brokers' 1, 2, 3, so that nobody takes it for one


@dataclass(frozen=True, slots=True)
class Node:
    """One Kafka process; a port is 0 where its role has no such listener."""

    node_id: int
    roles: tuple[str, ...]
    port: int
    controller_port: int

    @property
    def role(self) -> str:
        """The roles in one word or two: broker, controller, broker+controller."""
        return "+".join(self.roles)


def layout(settings: Settings) -> list[Node]:
    """Return the nodes of resolved settings, the controller first."""
    free = free_ports(settings)
    brokers = range(1, (settings.brokers or 0) + 1)
    if settings.profile == "small":
        return [Node(1, ("broker", "controller"), next(free), next(free))]
    ports = {node_id: next(free) for node_id in brokers}
    controller = Node(CONTROLLER_ID, ("controller",), 0, next(free))
    return [controller, *(Node(n, ("broker",), port, 0) for n, port in ports.items())]


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
