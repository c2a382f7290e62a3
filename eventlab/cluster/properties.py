"""The server.properties of a node: Kafka's own names, and why a lab needs other values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eventlab.cluster.nodes import CLIENT, CONTROLLER, REPLICATION, Node
from eventlab.cluster.settings import Settings

# What a learner waits for comes in seconds, and four JVMs fit a small laptop.
_LAB = {
    # A killed broker is fenced after this long (default 9000): the wait of every failover lesson.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "replica.lag.time.max.ms": "5000",
    # A connection that was begun while a network was cut never comes about, and is awaited all the
    # same (defaults 10000 and 30000): a broker would be fenced long after the network is whole.
    "socket.connection.setup.timeout.ms": "1000",
    "socket.connection.setup.timeout.max.ms": "1000",
    # Leaders move when a lesson wants it, not within the next five minutes (default true).
    "auto.leader.rebalance.enable": "false",
    # The first member of a group need not wait for others that nobody starts (default 3000).
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # A typo must be an error, not a new empty topic (default true).
    "auto.create.topics.enable": "false",
    # 50 partitions of each internal topic would only make start and recovery slow.
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "share.coordinator.state.topic.num.partitions": "3",
    # The default of 128 MiB is allocated at start and kills a small heap.
    "log.cleaner.dedupe.buffer.size": "2097152",
}


def render(node: Node, nodes: Sequence[Node], settings: Settings, data: str) -> str:
    """Return the text of the server.properties of one of these nodes; `settings` are resolved."""
    brokers = sum("broker" in other.roles for other in nodes)
    lines = _identity(node, nodes) | {"log.dirs": data} | common(settings, brokers)
    return "".join(f"{key}={escape(value)}\n" for key, value in lines.items())


def common(settings: Settings, brokers: int) -> dict[str, str]:
    """Return what all nodes of a cluster of so many brokers have alike, whatever runs them."""
    lines = {} if settings.profile == "stock" else dict(_LAB)
    lines |= _internal_topics(brokers)
    return lines | {key: str(value) for key, value in settings.properties.items()}


def variables(properties: Mapping[str, str]) -> dict[str, str]:
    """Return properties as the variables that Apache's image reads (KIP-975).

    A dot becomes one underscore, an underscore two, a hyphen three.
    """
    marks = {"_": "__", "-": "___", ".": "_"}
    named = {"".join(marks.get(c, c) for c in key).upper(): v for key, v in properties.items()}
    return {f"KAFKA_{name}": value for name, value in named.items()}


def _identity(node: Node, nodes: Sequence[Node]) -> dict[str, str]:
    voters = [(n.node_id, n.port(CONTROLLER)) for n in nodes if n.port(CONTROLLER)]
    lines = {
        "process.roles": ",".join(node.roles),
        "node.id": str(node.node_id),
        "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{port}" for n, port in voters),
        "controller.listener.names": CONTROLLER,
        "listeners": ",".join(f"{at.name}://127.0.0.1:{at.behind}" for at in node.listeners),
        # The controller's too: a raft client that was cut off asks for the endpoint it advertises.
        "advertised.listeners": ",".join(
            f"{at.name}://127.0.0.1:{at.port}" for at in node.listeners
        ),
        "listener.security.protocol.map": ",".join(
            f"{name}:PLAINTEXT" for name in (CLIENT, REPLICATION, CONTROLLER)
        ),
    }
    if "broker" in node.roles:  # a controller alone has no broker listener to name
        lines["inter.broker.listener.name"] = REPLICATION
    return lines


def _internal_topics(brokers: int) -> dict[str, str]:
    """Internal topics survive what lessons do to brokers; a smaller cluster has smaller copies."""
    replicas = str(min(3, brokers))
    in_sync = str(2 if brokers >= 3 else 1)
    return {
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


def escape(value: str) -> str:
    """Return a value as Java's Properties reads it: ASCII, anything else as a Unicode escape."""
    escaped = value.replace("\\", "\\\\")
    units = escaped.encode("utf-16-be", "surrogatepass")
    pairs = (int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2))
    text = "".join(chr(unit) if 32 <= unit < 127 else f"\\u{unit:04x}" for unit in pairs)
    return "\\" + text if text.startswith(" ") else text
