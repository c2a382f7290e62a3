"""A live Apache Kafka cluster in a notebook, and what it takes to learn from it.

    from eventlab import Cluster, observe

    cluster = Cluster.start()                       # three brokers and a controller, in seconds
    cluster.create_topic("orders", partitions=3)
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers)
    cluster.brokers[1].kill()                       # what will Kafka do?
    observe.partitions(cluster, "orders")           # who leads now, who is in sync

Nothing is started, and no network used, by an import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventlab import charts, faults, history, observe
    from eventlab.cluster.broker import Broker
    from eventlab.cluster.cluster import Cluster
    from eventlab.errors import EventlabError

__version__ = "0.1.0"

__all__ = ["Broker", "Cluster", "EventlabError", "charts", "faults", "history", "observe"]

_HOMES = {
    "Broker": "eventlab.cluster.broker",
    "Cluster": "eventlab.cluster.cluster",
    "EventlabError": "eventlab.errors",
    "charts": "eventlab.charts",
    "faults": "eventlab.faults",
    "history": "eventlab.history",
    "observe": "eventlab.observe",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the supervisor needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"eventlab has no {name!r}; it has {', '.join(__all__)}.")
    from importlib import import_module

    home = import_module(_HOMES[name])
    return getattr(home, name, home)  # a class of that module, or the module itself
