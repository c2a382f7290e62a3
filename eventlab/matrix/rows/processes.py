"""Processes that are killed while they publish: a kernel, and a copy in transactions."""

from __future__ import annotations

from eventlab.matrix.child import Child
from eventlab.matrix.reader import read
from eventlab.matrix.row import row
from eventlab.matrix.scene import Scene
from eventlab.waiting import wait_until

_COPIED = 200


def _owners(scene: Scene) -> set[int]:
    return set(scene.cluster.status()["owners"])


def _publish(scene: Scene, name: str, least: int) -> Child:
    """Let a process attach to the cluster and publish; return when it holds it, and published."""
    child = scene.start("publisher", name, cluster=scene.cluster.name)
    wait_until(lambda: child.acknowledged() >= least, 60, f"{name} published too little.")
    scene.expect(child.pid in _owners(scene), f"{name} publishes and does not hold the cluster")
    return child


@row("F36", "kernel killed while it publishes, a second one attaches", "shared cluster")
def f36(scene: Scene) -> None:
    """The supervisor sees owners die, however they do; the cluster is theirs who are left."""
    scene.create_topic()
    before = _owners(scene)
    first = _publish(scene, "first", scene.random.randint(100, 300))
    first.kill()
    second = _publish(scene, "second", 100)
    wait_until(lambda: _owners(scene) == before | {second.pid}, 15, "The dead one is an owner.")
    second.end()
    wait_until(lambda: _owners(scene) == before, 15, "The second one is still an owner.")


@row(
    "F37",
    "copy in transactions killed between produce and commit",
    "read_committed",
    "whole transactions alone are read; every record is copied once",
)
def f37(scene: Scene) -> None:
    """The next copy with this transactional.id aborts what the dead one left (KIP-98)."""
    scene.create_topic()
    copy = scene.create_topic(name="copy")
    scene.publish(_COPIED)
    first = scene.start("copier", "first", to=copy, then="dies", after=scene.random.randint(2, 5))
    first.wait_for("killed")
    second = scene.start("copier", "second", to=copy)
    values = read(scene, _COPIED, copy, group_id=None, isolation_level="read_committed")
    second.end()
    whole = sorted(values, key=int) == [b"%d" % number for number in range(_COPIED)]
    scene.expect(whole, f"{len(set(values))} of {_COPIED} records were copied, {len(values)} times")
