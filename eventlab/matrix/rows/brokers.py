"""Brokers and controllers that are killed, stopped, frozen or restarted."""

from __future__ import annotations

from contextlib import ExitStack

from eventlab import faults
from eventlab.matrix.row import hold, row
from eventlab.matrix.scene import SAFE, Scene
from eventlab.waiting import wait_until


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
            wait_until(scene.in_sync, 60, "The killed broker did not catch up.")


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
        hold(scene, 4, 6)


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
        hold(scene, 4, 6)


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
        hold(scene, 0.5, 1.5)


@row("F10", "leader frozen, three times its session")
def f10(scene: Scene) -> None:
    """It wakes as a leader of an old epoch, is fenced, and truncates."""
    scene.create_topic()
    with scene.traffic(), faults.leader_frozen(scene.cluster, scene.topic):
        hold(scene, 9, 10)


@row("F34", "rolling restart of the brokers")
def f34(scene: Scene) -> None:
    """Each waits until all replicas are in sync."""
    scene.create_topic()
    with scene.traffic():
        faults.rolling_restart(scene.cluster)
