"""What a cluster in containers must not leave in the engine."""

from __future__ import annotations

from typing import Any

from eventlab.cluster import composed, engine, registry


def leftovers(name: str) -> list[str]:
    """Return the containers, networks and volumes of a cluster of this name, by their names."""
    client = engine.client()
    try:
        labels = [
            f"{composed.PROJECT}={composed.project(name)}",
            f"{engine.OURS}={registry.folder(name)}",
        ]
        return sorted({each for label in labels for each in _labelled(client, label)})
    finally:
        client.close()


def _labelled(client: Any, label: str) -> list[str]:
    found = {"filters": {"label": label}}
    containers = client.containers.list(all=True, **found)
    return [
        each.name
        for each in (*containers, *client.networks.list(**found), *client.volumes.list(**found))
    ]
