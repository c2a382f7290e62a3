"""Handlers that fail: records that no handler can handle, and a database that is away."""

from __future__ import annotations

from eventlab.matrix.group import Group
from eventlab.matrix.row import hold, row
from eventlab.matrix.scene import SAFE, Scene

_ALL = 200


def _poisoned(scene: Scene, parks: bool) -> None:
    """Publish records of which one, the fifth of its key, is poison; handle what can be."""
    scene.create_topic(partitions=3)
    dead = scene.create_topic(1, name="dead")
    before = scene.random.randint(80, 99)
    with scene.producer(**SAFE) as producer:
        scene.send(producer, before)
        key = b"k%d" % scene.random.randrange(20)
        producer.send(scene.topic, key=key, value=b"poison")
        scene.send(producer, _ALL - before - 1)
    group = Group(scene, dead=dead, parks=parks)
    group.start("subscriber")
    group.finish(_ALL)
    behind = sum(b"k%d" % (number % 20) == key for number in range(before, _ALL - 1))
    aside = 1 + behind * parks
    scene.expect(group.store.parked() == aside, f"{group.store.parked()} put aside, not {aside}")


@row(
    "F25a",
    "a record that no handler can handle",
    "3 tries, then the dead-letter topic",
    "all others have their effect, those of its key too",
)
def f25a(scene: Scene) -> None:
    """The partition is not blocked; the order of that key has a hole."""
    _poisoned(scene, parks=False)


@row(
    "F25b",
    "as F25a",
    "later ones of its key follow it",
    "all others have their effect; those of its key are kept in their order",
)
def f25b(scene: Scene) -> None:
    """Other keys go on; nothing of the key overtakes the record that waits for a repair."""
    _poisoned(scene, parks=True)


@row(
    "F26",
    "database locked, longer than session and max.poll.interval",
    "commit after the SQL transaction",
    "consumption pauses, nothing is committed, the member stays; every effect is there once",
)
def f26(scene: Scene) -> None:
    """A consumer that pauses its partitions and polls on is alive, for the group and for KIP-62."""
    scene.create_topic(partitions=1)
    scene.publish(_ALL // 2)
    group = Group(scene, consumer={"max_poll_interval_ms": 3000})
    member = group.start("subscriber")
    group.wait_for(scene.random.randint(10, 90))
    group.store.lock()
    done = group.handled
    scene.publish(_ALL // 2)
    hold(scene, 5, 6)
    committed = max([0, *(offset for offset, _ in member.commits())])
    scene.expect(committed <= done, f"{committed} committed while SQL had {done}")
    group.store.unlock()
    group.finish(_ALL)
    scene.expect(member.assignments() == 1, "the member was thrown out")
    scene.scripted["redelivered"] = 0
