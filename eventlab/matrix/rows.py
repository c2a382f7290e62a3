"""The rows: what is broken, under which settings, and what has to come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from eventlab import faults
from eventlab.errors import InvalidSetting
from eventlab.matrix.scene import RISKY, SAFE, Scene
from eventlab.waiting import wait_until

NONE = "nothing lost, doubled or reordered"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the matrix; `judge` holds the rules of the verdict, `lost` what must be lost."""

    row: str
    fault: str
    settings: str
    expected: str
    script: Callable[[Scene], None]
    lost: str = "none"  # none, exactly (what the script says), or some
    judge: dict[str, Any] = field(default_factory=dict)
    source: str = ""


ROWS: dict[str, Row] = {}


def row(
    name: str, fault: str, settings: str = "safe", expected: str = NONE, **more: Any
) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    """Make a row of a function that plays it."""

    def made(script: Callable[[Scene], None]) -> Callable[[Scene], None]:
        ROWS[name] = Row(name, fault, settings, expected, script, **more)
        return script

    return made


def _hold(scene: Scene, low: float, high: float) -> None:
    """Let a fault last for a while that the seed chooses."""
    until = monotonic() + scene.random.uniform(low, high)
    wait_until(lambda: monotonic() >= until, high + 10, "Time stood still.")


@row("F1", "leader killed, restarted")
def f1(scene: Scene) -> None:
    """A new leader after the broker session timeout; the old one comes back as a follower."""
    scene.create_topic()
    with scene.traffic(), faults.leader_killed(scene.cluster, scene.topic):
        scene.wait_for_service()


@row("F2", "leader stopped")
def f2(scene: Scene) -> None:
    """It hands its partitions over before it ends."""
    scene.create_topic()
    with scene.traffic(), faults.leader_stopped(scene.cluster, scene.topic):
        scene.wait_for_service()


@row("F3", "leader killed five times, chased", "safe, gzip")
def f3(scene: Scene) -> None:
    """Whoever leads is killed; two stay in sync each time."""
    scene.create_topic(partitions=1)
    with scene.traffic(**SAFE, compression_type="gzip"):
        for _ in range(5):
            with faults.leader_killed(scene.cluster, scene.topic):
                scene.wait_for_service()
            wait_until(lambda: scene.in_sync(3), 60, "The killed broker did not catch up.")


@row("F4", "follower killed")
def f4(scene: Scene) -> None:
    """acks=all waits for it until it leaves the ISR."""
    scene.create_topic(partitions=1)
    follower = scene.random.choice([n for n in scene.cluster.brokers if n != scene.leader])
    with scene.traffic(), faults.broker_killed(scene.cluster, follower):
        scene.wait_for_service()


@row("F5", "two followers killed", expected="refused or late while one is left; nothing lost")
def f5(scene: Scene) -> None:
    """One replica in sync is fewer than min.insync.replicas: writes are refused."""
    scene.create_topic(partitions=1)
    followers = [node for node in scene.cluster.brokers if node != scene.leader]
    with scene.traffic(), ExitStack() as broken:
        for node in followers:
            broken.enter_context(faults.broker_killed(scene.cluster, node))
        _hold(scene, 4, 6)


@row("F6", "controller killed")
def f6(scene: Scene) -> None:
    """Leaders are known already; produce and consume need no controller."""
    scene.create_topic()
    with scene.traffic(), faults.controller_killed(scene.cluster):
        scene.wait_for_service(200)


@row("F7", "controller and leader killed", expected="no new leader until the controller is back")
def f7(scene: Scene) -> None:
    """Only the active controller elects leaders (KIP-631)."""
    scene.create_topic(partitions=1)
    with (
        scene.traffic(),
        faults.leader_killed(scene.cluster, scene.topic),
        faults.controller_killed(scene.cluster),
    ):
        _hold(scene, 4, 6)


@row("F8", "all four nodes killed at once")
def f8(scene: Scene) -> None:
    """What was acknowledged is in three page caches, which survive the processes."""
    scene.create_topic()
    with scene.traffic(), ExitStack() as broken:
        for node in scene.cluster.brokers:
            broken.enter_context(faults.broker_killed(scene.cluster, node))
        broken.enter_context(faults.controller_killed(scene.cluster))  # mended first


@row("F9", "leader frozen, shorter than its session", expected="a stall; nothing lost or doubled")
def f9(scene: Scene) -> None:
    """Nobody notices but the clients that wait."""
    scene.create_topic()
    with scene.traffic(), faults.leader_frozen(scene.cluster, scene.topic):
        _hold(scene, 0.5, 1.5)


@row("F10", "leader frozen, three times its session")
def f10(scene: Scene) -> None:
    """It wakes as a leader of an old epoch, is fenced, and truncates."""
    scene.create_topic()
    with scene.traffic(), faults.leader_frozen(scene.cluster, scene.topic):
        _hold(scene, 9, 10)


def _lose(scene: Scene, settings: dict[str, Any]) -> None:
    """Followers frozen, records sent, the leader killed, followers thawed: all within a session."""
    scene.create_topic(partitions=1, in_sync=1)
    count = scene.random.randint(20, 80)
    address = scene.cluster.brokers[scene.leader].address
    with scene.producer(**SAFE) as producer:  # acks=all: every replica has these
        scene.send(producer, 50)
    with scene.producer(bootstrap_servers=address, **settings) as producer:
        producer.partitions_for(scene.topic)  # asked while every broker answers
        with faults.followers_frozen(scene.cluster, scene.topic):
            scene.send(producer, count)
            if settings["acks"] == 1:
                wait_until(lambda: len(scene.acknowledged) == 50 + count, 2.5, "No acks in time.")
                scene.lost_on_purpose = count
            else:
                _hold(scene, 0.4, 0.6)
                scene.expect(len(scene.acknowledged) == 50, "acks=all waited for nobody")
            dead = faults.leader_killed(scene.cluster, scene.topic)
        with dead:
            wait_until(lambda: scene.leader not in (-1, dead_node(dead)), 30, "No new leader.")
        scene.send(producer, 50)
        producer.flush(timeout=60)


def dead_node(fault: faults.Fault) -> int:
    """Return the node of a fault that has one."""
    return int(fault.target.split()[1].strip(","))


@row(
    "F12",
    "followers frozen, records sent, leader killed",
    "acks=1, min ISR 1",
    "exactly the records sent meanwhile are lost",
    lost="exactly",
)
def f12(scene: Scene) -> None:
    """acks=1 acknowledges what one broker has."""
    _lose(scene, RISKY)


@row("F13", "as F12", "acks=all", "nothing is acknowledged meanwhile; nothing lost")
def f13(scene: Scene) -> None:
    """acks=all acknowledges what every replica in sync has."""
    _lose(scene, SAFE)


@row(
    "F16a",
    "leader isolated from the other nodes, clients reach it",
    "acks=1",
    "what the old leader acknowledges meanwhile is lost",
    lost="some",
)
def f16a(scene: Scene) -> None:
    """It does not know that it leads no more; its log is truncated when it learns."""
    scene.create_topic(partitions=1, in_sync=1)
    with scene.traffic(**RISKY), faults.leader_isolated(scene.cluster, scene.topic):
        _hold(scene, 5, 6)


@row("F16b", "as F16a", "acks=all", "one gap; nothing lost")
def f16b(scene: Scene) -> None:
    """No follower fetches, so nothing is acknowledged."""
    scene.create_topic(partitions=1)
    with scene.traffic(), faults.leader_isolated(scene.cluster, scene.topic):
        _hold(scene, 5, 6)


@row("F17", "clients cut off from one broker", expected="other partitions go on; nothing lost")
def f17(scene: Scene) -> None:
    """The broker is well, so nobody takes its partitions over."""
    scene.create_topic()
    with scene.traffic(), faults.clients_cut(scene.cluster, scene.leader):
        _hold(scene, 3, 5)


@row("F18", "clients slow: 100 ms, 3 Mbit/s", expected="slower; nothing lost, doubled or reordered")
def f18(scene: Scene) -> None:
    """Latency is paid for each request in flight, not for each record."""
    scene.create_topic()
    with scene.traffic(), faults.clients_slow(scene.cluster, latency=0.1, rate=375_000):
        _hold(scene, 3, 5)


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


@row("F34", "rolling restart of the brokers")
def f34(scene: Scene) -> None:
    """Each waits until all replicas are in sync."""
    scene.create_topic()
    with scene.traffic():
        faults.rolling_restart(scene.cluster)


def chosen(names: Iterable[str]) -> list[Row]:
    """Return these rows, all of them when none is named."""
    names = list(names)
    for name in names:
        if name not in ROWS:
            raise InvalidSetting(
                "The matrix has no such row.",
                f"You gave {name}.",
                f"It has {', '.join(ROWS)}.",
            )
    return [ROWS[name] for name in dict.fromkeys(names or ROWS)]
