"""Where the processes of the shop find Kafka and their database, if nobody tells them."""

from __future__ import annotations

from eventlab import environment
from eventlab.cluster import registry
from eventlab.errors import ClusterNotRunning
from eventlab.orders.store import Store


def servers(given: str | None, cluster: str = "lab") -> str:
    """Return the addresses given, or those of EVENTLAB_SERVERS, or of the cluster that runs here.

    ClusterNotRunning when there is none of them.
    """
    told = given or environment.value("EVENTLAB_SERVERS")
    if told:
        return told
    state = registry.running(cluster)
    if state is None:
        raise ClusterNotRunning(
            "There is no Kafka to talk to.",
            f"No cluster '{cluster}' runs here, and no --servers were given.",
            "Type `eventlab up`, or give --servers host:port.",
        )
    return str(state["bootstrap_servers"])


def store(given: str | None) -> Store:
    """Return the store at an address given, or at EVENTLAB_STORE, or in the file shop.db here."""
    return Store(given or environment.value("EVENTLAB_STORE") or "shop.db")
