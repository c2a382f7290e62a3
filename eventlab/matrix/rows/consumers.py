"""Members of a group that are killed or frozen, that stall, or that come and go."""

from __future__ import annotations

import signal
from time import monotonic
from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

from eventlab import observe
from eventlab.errors import NeverHappened
from eventlab.history.tables import OK
from eventlab.matrix.child import Child
from eventlab.matrix.group import Group
from eventlab.matrix.reader import Members
from eventlab.matrix.row import hold, row
from eventlab.matrix.scene import Scene
from eventlab.waiting import wait_until

_BATCH = 50  # max_poll_records
_ALL = 4 * _BATCH
_MEMBERS = 12
_STORM = "eight members are idle, which is no error; nothing lost or skipped, one owner each"
_AGAIN = "the batch is delivered again; every effect is there once"


def _killed(scene: Scene, commit: str, **consumer: Any) -> tuple[Group, int]:
    """Kill a subscriber in the middle of its third batch, and start another one.

    Return their group, and how many records of that batch were handled.
    """
    scene.create_topic(partitions=1)
    scene.publish(_ALL)
    within = scene.random.randint(1, _BATCH - 1)
    group = Group(scene, commit=commit, consumer={"max_poll_records": _BATCH, **consumer})
    group.start("first", then="dies", after=2 * _BATCH + within).wait_for("killed")
    group.start("second")
    return group, within


@row("F20", "consumer killed in a batch", "commit after the SQL transaction", _AGAIN)
def f20(scene: Scene) -> None:
    """At least once, into a database that knows what it has: once."""
    group, _ = _killed(scene, "after")
    group.finish(_ALL)
    scene.scripted["redelivered"] = _BATCH


@row(
    "F21",
    "consumer killed in a batch",
    "commit before the work",
    "exactly the rest of the batch is never handled",
    shows=("effect missing",),
)
def f21(scene: Scene) -> None:
    """At most once: what was committed is not delivered again."""
    group, within = _killed(scene, "before")
    rest = _BATCH - within
    group.finish(_ALL - rest)
    scene.scripted |= {"effect missing": rest, "redelivered": 0}


@row(
    "F22",
    "consumer killed in a batch",
    "auto-commit, 100 ms",
    "at least the batch is delivered again; every effect is there once",
    source="kafka-python 3.0.12 commits in poll(), what earlier polls returned "
    "(kafka/coordinator/consumer.py, ConsumerCoordinator.poll): never what is being handled, as "
    "long as it is handled before the next poll",
)
def f22(scene: Scene) -> None:
    """Commits are sent with a poll, and not waited for: what the dead one knew may be unsaid."""
    group, _ = _killed(scene, "auto", auto_commit_interval_ms=100)
    group.finish(_ALL)
    scene.scripted["redelivered"] = range(_BATCH, 3 * _BATCH + 1)


def _late(scene: Scene, then: str, **consumer: Any) -> tuple[Group, Child]:
    """Let a subscriber come to a halt in a batch, until another one has done its work."""
    scene.create_topic(partitions=1)
    scene.publish(_ALL)
    within = scene.random.randint(1, _BATCH - 1)
    group = Group(scene, consumer={"max_poll_records": _BATCH, **consumer})
    first = group.start("first", then=then, after=2 * _BATCH + within)
    group.wait_for(2 * _BATCH + within)
    group.start("second")
    group.wait_for(_ALL)
    return group, first


def _refused(scene: Scene, group: Group, zombie: Child) -> None:
    """Wait until the commit of the one that was late is answered: it must be refused."""

    def answers() -> list[int]:
        return [outcome for offset, outcome in zombie.commits() if offset == 3 * _BATCH]

    wait_until(answers, 30, "The late member did not commit.")
    scene.expect(OK not in answers(), "a commit of the late member was taken")
    group.finish(_ALL)
    # Once more when the late member is back before the other one's last commit.
    scene.scripted["redelivered"] = range(_BATCH, 2 * _BATCH + 1)


@row(
    "F23a",
    "consumer frozen for longer than its session",
    "commit after the SQL transaction",
    _AGAIN,
)
def f23a(scene: Scene) -> None:
    """Its partitions are another's when it wakes, and its commit is refused: a zombie."""
    group, first = _late(scene, "freezes")
    first.signal(signal.SIGCONT)
    _refused(scene, group, first)


@row(
    "F23b",
    "handler takes longer than max.poll.interval",
    "max_poll_interval_ms=3000",
    _AGAIN,
    source="kafka-python 3.0.12 leaves the group from its heartbeat task "
    "(kafka/coordinator/base.py), as KIP-62 has it; poll() and commit() tell afterwards",
)
def f23b(scene: Scene) -> None:
    """The process is well and heartbeats; a member that does not poll has to leave all the same."""
    group, first = _late(scene, "stalls", max_poll_interval_ms=3000)
    first.say("go")
    _refused(scene, group, first)


def _storm(scene: Scene, **settings: Any) -> None:
    """Let members come and go over four partitions; in the end there are twelve."""
    scene.create_topic(partitions=4)
    with Members(scene, **settings) as members, scene.traffic(readers=0):
        members.join()
        until = monotonic() + 8
        while monotonic() < until:
            _come_or_go(scene, members)
            hold(scene, 0.1, 0.5)
        while len(members.staying) < _MEMBERS:
            members.join()
        told = f"not {_MEMBERS} members with {_MEMBERS - 4} idle ones"
        wait_until(lambda: _idle(scene) == _MEMBERS - 4, 45, told, every=0.5)


def _come_or_go(scene: Scene, members: Members) -> None:
    staying = members.staying
    if len(staying) == 1 or (len(staying) < _MEMBERS and scene.random.random() < 0.6):
        members.join()
    else:
        scene.random.choice(staying).leave.set()


def _idle(scene: Scene) -> int:
    """Return how many of twelve members have no partition; -1 while there are not twelve."""
    try:
        held = observe.members(scene.cluster, scene.topic)["assignment"].map(len)
    except NeverHappened:  # brokers are busy with the group
        return -1
    stable = len(held) == _MEMBERS and held.sum() == 4
    return int((held == 0).sum()) if stable else -1


@row("F24a", "twelve members come and go, four partitions", "range assignor", _STORM)
def f24a(scene: Scene) -> None:
    """Each change of the group takes all partitions from all, and gives them anew."""
    _storm(scene)


@row("F24b", "as F24a", "cooperative-sticky assignor (KIP-429)", _STORM)
def f24b(scene: Scene) -> None:
    """Who keeps a partition goes on reading it meanwhile."""
    _storm(scene, partition_assignment_strategy=[CooperativeStickyAssignor])
