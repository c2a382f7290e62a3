"""Something that is broken, and is mended."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from typing import Any

from eventlab.cluster import control
from eventlab.cluster.cluster import Cluster
from eventlab.faults import targets


class Fault:
    """Something that is broken until `mend()`, or until the block that it opened ends."""

    def __init__(self, cluster: Cluster, name: str, target: str, broken: dict[str, Any]) -> None:
        self._cluster = cluster
        self.name, self.target = name, target
        told = {"verbs": {}, "name": name, "target": target} | broken
        state = control.ask(cluster.folder, "fault", 30, pid=os.getpid(), fault=told)
        self.number: int = state["number"]

    def mend(self) -> None:
        """Undo it; returns when the nodes are back in the cluster. Mending twice is once."""
        control.ask(self._cluster.folder, "mend", 90, numbers=[self.number])

    @property
    def on(self) -> bool:
        """Whether it is still broken."""
        return any(f["number"] == self.number and not f["end"] for f in targets.told(self._cluster))

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.mend()

    def __repr__(self) -> str:
        return (
            f"<Fault {self.number}: {self.name} · {self.target} · {'on' if self.on else 'mended'}>"
        )


def pairs(one: Iterable[Any], other: Iterable[Any]) -> list[tuple[str, str]]:
    """Return the links between two groups, in both directions."""
    there = [(str(a), str(b)) for a, b in itertools.product(one, other)]
    return there + [(b, a) for a, b in there]
