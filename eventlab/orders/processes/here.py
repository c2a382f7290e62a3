"""Where the processes of the shop find Kafka and their database, if nobody tells them."""

from __future__ import annotations

from typing import Any

from eventlab.cluster import registry, security
from eventlab.errors import ClusterNotRunning
from eventlab.orders.store import Store


def kafka(given: str | None, cluster: str = "lab") -> dict[str, Any]:
    """Return what clients need to reach the brokers at the addresses given, or those that run here.

    How to talk to brokers of others the environment says (EVENTLAB_SECURITY_PROTOCOL ...).
    ClusterNotRunning when there is none of them; InvalidSetting.
    """
    if given:
        return security.client_config(given, security.from_environment())
    state = registry.running(cluster)
    if state is None:
        raise ClusterNotRunning(
            "There is no Kafka to talk to.",
            f"No cluster '{cluster}' runs here, and no --servers were given.",
            "Type `eventlab up`, or give --servers host:port.",
        )
    return security.client_config(state["bootstrap_servers"])


def store(given: str | None) -> Store:
    """Return the store at an address given, or in the file shop.db here."""
    return Store(given or "shop.db")
