"""A live Apache Kafka cluster in a notebook, and what it takes to learn from it.

    from eventlab import Cluster

    cluster = Cluster.start()                       # three brokers and a controller, in seconds
    cluster.create_topic("orders", partitions=3)
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers)
    cluster.brokers[1].kill()                       # what will Kafka do?

Nothing is started, and no network used, by an import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventlab.cluster.broker import Broker
    from eventlab.cluster.cluster import Cluster
    from eventlab.errors import EventlabError

__version__ = "0.1.0"

__all__ = ["Broker", "Cluster", "EventlabError"]

_HOMES = {
    "Broker": "eventlab.cluster.broker",
    "Cluster": "eventlab.cluster.cluster",
    "EventlabError": "eventlab.errors",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the supervisor needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"eventlab has no {name!r}; it has {', '.join(__all__)}.")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
