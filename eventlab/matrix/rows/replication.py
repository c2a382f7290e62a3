"""What only one replica has: acks, min.insync.replicas and elections decide what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import LogTruncationError, OffsetOutOfRangeError

from eventlab import faults
from eventlab.matrix.reader import SETTINGS
from eventlab.matrix.row import VANISHED, hold, row
from eventlab.matrix.scene import RISKY, SAFE, Scene
from eventlab.waiting import Deadline, wait_until

_UNCLEAN = 1  # Kafka's ElectionType


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
                scene.scripted["lost"] = count
            else:
                hold(scene, 0.4, 0.6)
                scene.expect(len(scene.acknowledged) == 50, "acks=all waited for nobody")
            dead = faults.leader_killed(scene.cluster, scene.topic)
        with dead:
            wait_until(lambda: scene.leader not in (-1, dead_node(dead)), 30, "No new leader.")
        scene.send(producer, 50)
        producer.flush(timeout=60)


@row(
    "F14",
    "as F12",
    "acks=0",
    "exactly the records sent meanwhile vanish, and the producer is told of none",
    shows=(VANISHED,),
)
def f14(scene: Scene) -> None:
    """acks=0 acknowledges nothing: sent is all that anybody knows."""
    scene.create_topic(partitions=1, in_sync=1)
    count = scene.random.randint(20, 80)
    scene.publish(50)
    address = scene.cluster.brokers[scene.leader].address
    with scene.producer(bootstrap_servers=address, acks=0, enable_idempotence=False) as producer:
        producer.partitions_for(scene.topic)
        with faults.followers_frozen(scene.cluster, scene.topic):
            sent = scene.send(producer, count)
            producer.flush(timeout=2)
            dead = faults.leader_killed(scene.cluster, scene.topic)
    with dead:
        wait_until(lambda: scene.leader not in (-1, dead_node(dead)), 30, "No new leader.")
        scene.publish(50)
    scene.expect(not any(future.exception for future in sent), "the producer was told")
    scene.scripted[VANISHED] = count


@row(
    "F15",
    "followers stopped, records sent, leader killed, unclean election",
    "acks=all, min ISR 1",
    "nobody leads until an unclean election; then exactly those records are lost",
    shows=("lost", "dirty read"),
    source="With min ISR 1 acks=all is one replica; without a replica in sync a partition waits "
    "until somebody chooses loss (KIP-460, KIP-966). kafka-python tells readers: "
    "LogTruncationError (KIP-320)",
)
def f15(scene: Scene) -> None:
    """Between no service and no loss an operator chooses."""
    scene.create_topic(partitions=1, in_sync=1)
    count = scene.random.randint(20, 80)
    scene.publish(50)
    with ExitStack() as broken:
        with ExitStack() as followers:
            reader = broken.enter_context(_reader(scene))  # while it can learn of all brokers
            for node in scene.followers:
                followers.enter_context(faults.broker_stopped(scene.cluster, node))
            scene.publish(count)
            _read_to(reader, 50 + count)
            dead = broken.enter_context(faults.leader_killed(scene.cluster, scene.topic))
        wait_until(lambda: scene.leader == -1, 30, "Somebody leads.")
        hold(scene, 0.5, 1.5)
        scene.expect(scene.leader == -1, "a replica that was not in sync leads")
        asked = {scene.topic: [0]}
        scene.cluster._admin.ask(lambda client: client.elect_leaders(_UNCLEAN, asked), "Elections")
        wait_until(lambda: scene.leader not in (-1, dead_node(dead)), 30, "No new leader.")
        scene.publish(20)
        dead.mend()  # a client that knew no other broker than the dead one waits for it
        scene.expect(_is_told(reader), "the reader was not told that the log is shorter")
    scene.scripted |= {"lost": count, "dirty read": count}


@contextmanager
def _reader(scene: Scene) -> Iterator[KafkaConsumer]:
    """Give a recorded consumer of the whole topic that has no policy for a reset."""
    settings = {**SETTINGS, "auto_offset_reset": "none"}
    servers = scene.cluster.bootstrap_servers
    with scene.run.consumer(KafkaConsumer(bootstrap_servers=servers, **settings)) as consumer:
        consumer.assign([TopicPartition(scene.topic, 0)])
        consumer.seek(TopicPartition(scene.topic, 0), 0)
        _read_to(consumer, 1)
        yield consumer


def _read_to(consumer: KafkaConsumer, offset: int) -> None:
    """Return when a consumer of one partition has come to an offset."""
    (part,) = consumer.assignment()

    def there() -> bool:
        consumer.poll(timeout_ms=200)
        return bool(consumer.position(part, timeout_ms=1000) >= offset)

    wait_until(there, 30, f"Offset {offset} was not read.")


def _is_told(consumer: KafkaConsumer) -> bool:
    """Say whether a consumer that has read more than there is is told so."""
    deadline = Deadline(30)
    while deadline.left:
        try:
            consumer.poll(timeout_ms=500)
        except (LogTruncationError, OffsetOutOfRangeError):
            return True
    return False


def dead_node(fault: faults.Fault) -> int:
    """Return the node of a fault that has one."""
    return int(fault.target.split()[1].strip(","))


@row(
    "F12",
    "followers frozen, records sent, leader killed",
    "acks=1, min ISR 1",
    "exactly the records sent meanwhile are lost",
    shows=("lost",),
)
def f12(scene: Scene) -> None:
    """acks=1 acknowledges what one broker has."""
    _lose(scene, RISKY)


@row("F13", "as F12", "acks=all", "nothing is acknowledged meanwhile; nothing lost")
def f13(scene: Scene) -> None:
    """acks=all acknowledges what every replica in sync has."""
    _lose(scene, SAFE)
