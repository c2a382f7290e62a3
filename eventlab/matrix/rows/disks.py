"""Log files that cannot be written, or that are not what was written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka.record import MemoryRecords

from eventlab import faults
from eventlab.matrix.row import row
from eventlab.matrix.scene import SAFE, Scene
from eventlab.waiting import wait_until

_HEADER = 61  # bytes of a batch before its first record


def _folder(scene: Scene, node: int) -> Path:
    """Return where a broker has partition 0 (DescribeLogDirs, KIP-113)."""
    told = scene.cluster._admin.ask(
        lambda client: client.describe_log_dirs([scene.topic]), "The question for log dirs"
    )
    (place,) = (d["log_dir"] for each in told if each["broker"] == node for d in each["log_dirs"])
    return Path(place) / f"{scene.topic}-0"


def _content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("*.log")))


def _damage(scene: Scene, folder: Path) -> int:
    """Cut the last segment off within a batch, or change a byte there, as the seed says.

    Return how many records are in that batch and after it.
    """
    path = max(folder.glob("*.log"))
    data, sizes, counts = path.read_bytes(), [], []
    records = MemoryRecords(data)
    while records.has_next():
        batch = records.next_batch()
        sizes.append(batch.size_in_bytes)
        counts.append(len(list(batch)))
    hit = scene.random.randrange(len(sizes))
    at = sum(sizes[:hit]) + scene.random.randrange(_HEADER, sizes[hit])
    cut = scene.random.random() < 0.5
    path.write_bytes(data[:at] if cut else data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
    return sum(counts[hit:])


@contextmanager
def _unwritable(scene: Scene, node: int) -> Iterator[None]:
    """Let a broker find no place for its next segment; afterwards it is killed, and started.

    The folder of the partition is away meanwhile: that stops root as well, which no chmod does.
    """
    folder, broker = _folder(scene, node), scene.cluster.brokers[node]
    aside = folder.parent.parent / f"{folder.name}.aside"
    folder.rename(aside)
    try:
        yield
    finally:
        broker.kill()  # unless it has ended
        aside.rename(folder)
        broker.start()


@row(
    "F27",
    "log dir of the leader or of a follower cannot be written",
    "safe, segment.ms=1000",
    "the broker ends itself at its next segment; nothing lost, doubled or reordered",
    source="A broker whose only log dir failed halts (KIP-112; LogManager.handleLogDirFailure). "
    "A chmod would not stop a broker that runs as root; that a folder is gone stops any",
)
def f27(scene: Scene) -> None:
    """The files that are open are written to still; the next one cannot be made."""
    scene.create_topic(partitions=1, segment_ms="1000")
    node = scene.random.choice([scene.leader, *scene.followers])
    with scene.traffic(), _unwritable(scene, node):
        broker = scene.cluster.brokers[node]
        wait_until(lambda: broker.state == "failed", 30, "The broker did not end itself.")
        scene.wait_for_service()


@row("F29", "last segment of a killed follower cut short, or corrupt")
def f29(scene: Scene) -> None:
    """What its recovery finds no whole batch in is cut off, and fetched from the leader again."""
    scene.create_topic(partitions=1)
    follower = scene.random.choice(scene.followers)
    folder = _folder(scene, follower)
    with scene.traffic():
        with faults.broker_killed(scene.cluster, follower):
            scene.wait_for_service()
            _damage(scene, folder)
        wait_until(scene.in_sync, 60, "The follower did not catch up.")
    there = _folder(scene, scene.leader)
    alike = "The follower has other bytes than the leader."
    wait_until(lambda: _content(folder) == _content(there), 30, alike)


@row(
    "F30",
    "last segment of a leader without followers cut short, or corrupt",
    "acks=all, one replica",
    "exactly what was in the damaged batch and after it is lost, and said to be",
    shows=("lost",),
    source="After a kill a broker checks every batch of its newest segment and cuts the log off at "
    "the last one that is whole (Kafka documentation, Implementation, Log, Guarantees): it does "
    "not refuse to start, and tells nobody but its own log",
)
def f30(scene: Scene) -> None:
    """Nobody else has what one disk had."""
    scene.create_topic(partitions=1, in_sync=1, replicas=1)
    with scene.producer(**SAFE) as producer:
        for _ in range(10):
            scene.send(producer, scene.random.randint(5, 20))
            producer.flush(timeout=60)
    folder = _folder(scene, scene.leader)
    with faults.leader_killed(scene.cluster, scene.topic):
        scene.scripted["lost"] = _damage(scene, folder)
