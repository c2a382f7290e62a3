"""Which lane of a space-time diagram is whose: producers, then partitions, then consumers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eventlab.charts import lanes, words
from eventlab.charts.chart import Chart
from eventlab.charts.groups import Array
from eventlab.charts.journeys import Journeys
from eventlab.charts.look import QUIET, SMALL


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of the lanes, "" between two kinds, and where each kind begins."""

    labels: list[str]
    begins: dict[str, int]
    senders: Array
    readers: Array

    def sender(self, process: Array) -> Array:
        """Return the lanes of processes that send."""
        return np.searchsorted(self.senders, process) + self.begins.get("producers", 0)

    def part(self, part: Array) -> Array:
        """Return the lanes of partitions."""
        return part + self.begins.get("partitions", 0)

    def reader(self, process: Array) -> Array:
        """Return the lanes of processes that read."""
        return np.searchsorted(self.readers, process) + self.begins.get("consumers", 0)


def laid(found: Journeys) -> tuple[Chart, Layout]:
    """Return a chart with a lane for each who and where, and the layout of the lanes."""
    kinds = {
        "producers": _names(found, found.producers, "producer"),
        "partitions": words.partitions(found.parts),
        "consumers": _names(found, found.consumers, "consumer"),
    }
    labels: list[str] = []
    begins: dict[str, int] = {}
    for kind, names in kinds.items():
        if names:
            labels += [""] if labels else []
            begins[kind] = len(labels)
            labels += names
    axes = lanes.laid(labels, each=0.42)
    axes.set_ylim(len(labels) - 0.5, -0.9)
    _caption(axes, begins)
    return axes, Layout(labels, begins, found.producers, found.consumers)


def _names(found: Journeys, processes: Array, role: str) -> list[str]:
    """Return the names of the clients, where they tell the processes apart."""
    names = [words.name(found.clients.get(process, "")) for process in processes.tolist()]
    if found.clients and len(set(names)) == len(names):
        return names
    return [f"{role} {process}" for process in processes]


def _caption(axes: Chart, begins: dict[str, int]) -> None:
    for kind, lane in begins.items():
        axes.annotate(
            kind,
            (0, lane - 0.5),
            (-5, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            ha="right",
            va="center",
            color=QUIET,
            fontsize=SMALL,
            fontstyle="italic",
        )
