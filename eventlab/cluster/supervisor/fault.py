"""What was broken, by whom, and how it is mended: the cluster's own record of faults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from eventlab.cluster.supervisor.link import Links
from eventlab.cluster.supervisor.node import Node

_KEPT = 1000  # faults that are remembered
_MEND = 30.0  # seconds until a node that is mended is no longer waited for
_WORDS = {"stop": "stopped", "kill": "killed", "freeze": "frozen"}
_MENDS = {"stop": "start", "kill": "start", "freeze": "thaw"}


class Fault:
    """One fault: verbs done to nodes, and rules of links, until it is mended."""

    def __init__(self, number: int, owner: int, told: dict[str, Any]) -> None:
        self.number, self.owner = number, owner
        self.name: str = told["name"]
        self.target: str = told["target"]
        self.nodes: dict[int, str] = {int(node): verb for node, verb in told["verbs"].items()}
        self.links: list[tuple[str, str]] = [(a, b) for a, b in told.get("links", ())]
        self.rule: dict[str, Any] = told.get("rule", {})
        self.start, self.end = time.time_ns(), 0

    def describe(self) -> dict[str, Any]:
        """Return a row of `faults.frame`; times in ns since the epoch, `end` 0 while it is on."""
        touched = sorted(
            {*self.nodes, *(int(e) for link in self.links for e in link if e.isdigit())}
        )
        return {
            "number": self.number,
            "fault": self.name,
            "target": self.target,
            "nodes": touched,
            "start": self.start,
            "end": self.end,
        }


class Faults:
    """All faults of a cluster, those that are on and those that were."""

    def __init__(self, nodes: dict[int, Node], links: Links) -> None:
        self._nodes, self._links = nodes, links
        self._all: list[Fault] = []
        self._count = 0

    def describe(self) -> list[dict[str, Any]]:
        """Return a row for each, oldest first."""
        return [fault.describe() for fault in self._all]

    async def inject(self, owner: int, told: dict[str, Any]) -> int:
        """Break what it says; return the number it is mended by."""
        fault = self._remember(owner, told)
        for ends in fault.links:
            self._links[ends].set(**fault.rule)
        await asyncio.gather(*(getattr(self._nodes[n], verb)() for n, verb in fault.nodes.items()))
        return fault.number

    async def mend(self, numbers: Sequence[int]) -> None:
        """Undo these, except for what another one that is on still holds."""
        ended = [fault for fault in self._all if fault.number in numbers and not fault.end]
        for fault in ended:
            fault.end = time.time_ns()
        for ends in {ends for fault in ended for ends in fault.links}:
            self._links[ends].set(**self._rule_of(ends))
        nodes = {node: verb for fault in ended for node, verb in fault.nodes.items()}
        held = {node for fault in self.active() for node in fault.nodes}
        mends = [(node, _MENDS[verb]) for node, verb in nodes.items() if node not in held]
        mending = [asyncio.create_task(getattr(self._nodes[n], verb)()) for n, verb in mends]
        if mending:  # without a controller a broker does not get ready, and is not waited for
            await asyncio.wait(mending, timeout=_MEND)

    def _rule_of(self, ends: tuple[str, str]) -> dict[str, Any]:
        """Return what the youngest fault that is on wants of a link."""
        rules = [fault.rule for fault in self.active() if ends in fault.links]
        return rules[-1] if rules else {}

    def active(self, owner: int | None = None) -> list[Fault]:
        """Return those that are on, of this owner or of all."""
        return [f for f in self._all if not f.end and (owner is None or f.owner == owner)]

    async def do(self, owner: int, node_id: int, verb: str) -> None:
        """Do a verb to a node and remember it: `cluster.brokers[1].kill()` is a fault too."""
        node = self._nodes[node_id]
        if verb in _WORDS:
            role = "broker" if "broker" in node.roles else "controller"
            target, verbs = f"{role} {node_id}", {node_id: verb}
            self._remember(
                owner, {"name": f"{role} {_WORDS[verb]}", "target": target, "verbs": verbs}
            )
        await getattr(node, verb)()
        if node.state == "running":  # it is well again, whoever had broken it
            for fault in self.active():
                if list(fault.nodes) == [node_id]:
                    fault.end = time.time_ns()

    def _remember(self, owner: int, told: dict[str, Any]) -> Fault:
        self._count += 1
        fault = Fault(self._count, owner, told)
        self._all = [*self._all, fault][-_KEPT:]
        return fault
