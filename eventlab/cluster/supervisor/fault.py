"""What was broken, by whom, and how it is mended: the cluster's own record of faults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from eventlab.cluster.supervisor.link import together
from eventlab.cluster.supervisor.owner import Owner

if TYPE_CHECKING:
    from eventlab.cluster.supervisor.runner import Links, Node

_KEPT = 1000  # faults that are over and remembered
_MEND = 30.0  # seconds until a node that is mended is no longer waited for
_WORDS = {"stop": "stopped", "kill": "killed", "freeze": "frozen"}


class Fault:
    """One fault: verbs done to nodes, and rules of links, until it is mended.

    It is known by a token of whoever asked for it, who may not live to hear a number.
    """

    def __init__(self, number: int, owner: int, told: dict[str, Any]) -> None:
        self.number, self.owner = number, Owner(owner)
        self.token: str = told.get("token", "")
        self.name: str = told["name"]
        self.target: str = told["target"]
        self.nodes: dict[int, str] = {int(node): verb for node, verb in told["verbs"].items()}
        self.links: list[tuple[str, str]] = [(a, b) for a, b in told.get("links", ())]
        self.rule: dict[str, Any] = told.get("rule", {})
        self.start, self.end = time.time_ns(), 0

    def describe(self) -> dict[str, Any]:
        """Return a row of `faults.frame`; times in ns since the epoch, `end` 0 while it is on."""
        touched = {*self.nodes, *(int(e) for link in self.links for e in link if e.isdigit())}
        return {
            "number": self.number,
            "token": self.token,
            "fault": self.name,
            "target": self.target,
            "nodes": sorted(touched),
            "start": self.start,
            "end": self.end,
        }


class Faults:
    """All faults of a cluster, those that are on and those that were."""

    def __init__(self, nodes: Mapping[int, Node], links: Links) -> None:
        self._nodes, self._links = nodes, links
        self._all: list[Fault] = []
        self._count = 0
        self._starting: set[asyncio.Task[None]] = set()

    def describe(self) -> list[dict[str, Any]]:
        """Return a row for each, oldest first."""
        return [fault.describe() for fault in self._all]

    async def inject(self, owner: int, told: dict[str, Any]) -> Fault:
        """Break what it says; what cannot be broken in full is not broken at all."""
        fault = self._remember(owner, told)
        try:
            await self._rule(fault.links)
            verbs = fault.nodes.items()
            await asyncio.gather(*(getattr(self._nodes[node], verb)() for node, verb in verbs))
        except BaseException:
            await self.mend([fault])
            raise
        return fault

    async def mend(self, faults: Iterable[Fault]) -> None:
        """Undo these, except for what another one that is on still holds.

        Without a controller a broker does not get ready: it is started, and not waited for.
        """
        ended = [fault for fault in faults if not fault.end]
        for fault in ended:
            fault.end = time.time_ns()
        await self._rule(link for fault in ended for link in fault.links)
        held = {node for fault in self.active() for node in fault.nodes}
        mends = {node for fault in ended for node in fault.nodes if node in self._nodes} - held
        mending = {asyncio.create_task(self._nodes[node].start()) for node in mends}
        self._starting |= mending
        for task in mending:
            task.add_done_callback(self._starting.discard)
        if mending:
            await asyncio.wait(mending, timeout=_MEND if self._has_quorum(mends) else 0)

    async def _rule(self, links: Iterable[tuple[str, str]]) -> None:
        """Let links be as all faults that are on want them, together."""
        wanted = {
            ends: together([fault.rule for fault in self.active() if ends in fault.links])
            for ends in set(links)
        }
        if wanted:
            await self._links.rule(wanted)

    def _has_quorum(self, coming: Collection[int]) -> bool:
        """Say whether most controllers run or come back now."""
        voters = [node for node in self._nodes.values() if "controller" in node.roles]
        there = [n for n in voters if n.node_id in coming or n.state in ("running", "starting")]
        return 2 * len(there) > len(voters)

    def active(self) -> list[Fault]:
        """Return those that are on."""
        return [fault for fault in self._all if not fault.end]

    def known(self, tokens: Collection[str]) -> list[Fault]:
        """Return those of these tokens."""
        return [fault for fault in self._all if fault.token in tokens]

    async def do(self, owner: int, node_id: int, verb: str) -> None:
        """Do a verb to a node and remember it: `cluster.brokers[1].kill()` is a fault too."""
        node = self._nodes[node_id]
        if verb in _WORDS:
            role = "broker" if "broker" in node.roles else "controller"
            name, target = f"{role} {_WORDS[verb]}", f"{role} {node_id}"
            told = {"token": uuid4().hex, "name": name, "target": target}
            self._remember(owner, told | {"verbs": {node_id: verb}})
        await getattr(node, verb)()
        await self.mend([fault for fault in self.active() if self._is_well(fault, node_id)])

    def _is_well(self, fault: Fault, node_id: int) -> bool:
        """Say whether the last node of a fault runs again, whoever had broken it."""
        nodes = [self._nodes[node] for node in fault.nodes]
        return node_id in fault.nodes and all(n.state == "running" and not n.endings for n in nodes)

    def _remember(self, owner: int, told: dict[str, Any]) -> Fault:
        self._count += 1
        fault = Fault(self._count, owner, told)
        over = [fault for fault in self._all if fault.end]
        forgotten = set(over[: max(0, len(over) - _KEPT)])
        self._all = [*(kept for kept in self._all if kept not in forgotten), fault]
        return fault
