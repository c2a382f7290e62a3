"""Links that are cut, slow or reset: between brokers, and from clients to them."""

from __future__ import annotations

from typing import Any

from eventlab import faults
from eventlab.matrix.row import hold, row
from eventlab.matrix.scene import RISKY, SAFE, Scene


@row(
    "F16a",
    "leader isolated from the other nodes, clients reach it",
    "acks=1",
    "what the old leader acknowledges meanwhile is lost",
    shows=("lost",),
)
def f16a(scene: Scene) -> None:
    """It does not know that it leads no more; its log is truncated when it learns."""
    scene.create_topic(partitions=1, in_sync=1)
    with scene.traffic(**RISKY), faults.leader_isolated(scene.cluster, scene.topic):
        hold(scene, 5, 6)


@row("F16b", "as F16a", "acks=all", "one gap; nothing lost")
def f16b(scene: Scene) -> None:
    """No follower fetches, so nothing is acknowledged."""
    scene.create_topic(partitions=1)
    with scene.traffic(), faults.leader_isolated(scene.cluster, scene.topic):
        hold(scene, 5, 6)


@row("F17", "clients cut off from one broker", expected="other partitions go on; nothing lost")
def f17(scene: Scene) -> None:
    """The broker is well, so nobody takes its partitions over."""
    scene.create_topic()
    with scene.traffic(), faults.clients_cut(scene.cluster, scene.leader):
        hold(scene, 3, 5)


@row("F18", "clients slow: 100 ms, 3 Mbit/s", expected="slower; nothing lost, doubled or reordered")
def f18(scene: Scene) -> None:
    """Latency is paid for each request in flight, not for each record."""
    scene.create_topic()
    with scene.traffic(), faults.clients_slow(scene.cluster, latency=0.1, rate=375_000):
        hold(scene, 3, 5)


def _reset(scene: Scene, settings: dict[str, Any]) -> None:
    scene.create_topic(partitions=1)
    with scene.traffic(**settings):
        for _ in range(20):
            faults.connections_reset(scene.cluster, scene.leader)
            scene.wait_for_service(5)


@row("F19a", "connections reset while producing, 20 times", "idempotent")
def f19a(scene: Scene) -> None:
    """A batch that is sent again is known by its sequence number (KIP-98)."""
    _reset(scene, SAFE)


@row(
    "F19b",
    "as F19a",
    "acks=all, not idempotent",
    "nothing lost; duplicates are possible",
    judge={"allow": ("duplicate", "reordered")},
)
def f19b(scene: Scene) -> None:
    """A batch whose acknowledgement was lost is written twice."""
    _reset(scene, {"acks": "all", "enable_idempotence": False})
