"""What a topic's settings do under its clients: partitions that are added, records that expire."""

from __future__ import annotations

from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import OffsetOutOfRangeError

from eventlab import observe
from eventlab.errors import NotSupported
from eventlab.matrix.reader import read
from eventlab.matrix.row import row
from eventlab.matrix.scene import Scene
from eventlab.waiting import wait_until

_READ, _PASSED, _NEW, _KEYS = 100, 200, 50, 20


@row(
    "F31",
    "partitions added under keyed traffic",
    "3, then 6",
    "records of one key are in two partitions from then on: their order is not kept",
    shows=("key split",),
    source="Kafka does not move what is there, and hashes keys over the new count (Kafka "
    "documentation, Operations, Modifying topics)",
)
def f31(scene: Scene) -> None:
    """A key has a partition for as long as their number stays."""
    scene.create_topic(partitions=3)
    with scene.traffic():
        more = {scene.topic: 6}
        scene.cluster._admin.ask(lambda client: client.create_partitions(more), "More partitions")
        wait_until(lambda: max(scene.written) >= 3, 30, "Nothing was sent to a new partition.")
        scene.wait_for_service(200)


def _set(scene: Scene, **configs: str) -> None:
    """Change configs of the topic of a scene."""
    told = {key.replace("_", "."): value for key, value in configs.items()}
    asked = [ConfigResource(ConfigResourceType.TOPIC, scene.topic, told)]
    scene.cluster._admin.ask(lambda client: client.alter_configs(asked), "The change of configs")


def _require_quick_cleaning(scene: Scene) -> None:
    """Refuse a cluster that looks for old records every five minutes, as Kafka does by default."""
    if "log.retention.check.interval.ms" not in scene.cluster.status()["settings"]["properties"]:
        raise NotSupported(
            "This cluster removes old records too seldom.",
            "It has Kafka's log.retention.check.interval.ms of five minutes.",
            "Use `eventlab matrix`, which starts a cluster for it.",
        )


def _out_of_range(scene: Scene) -> bool:
    """Say whether a member without a policy is told that its offset is gone."""
    try:
        read(scene, 1, auto_offset_reset="none")
    except OffsetOutOfRangeError:
        return True
    return False


@row(
    "F32a",
    "retention passes a consumer that is away",
    "retention.ms=500",
    "what expired is counted as expired; the policy decides where reading goes on",
    source="Retention knows nothing of consumers (Kafka documentation, Introduction, Main "
    "Concepts); with auto_offset_reset='none' kafka-python raises OffsetOutOfRangeError",
)
def f32a(scene: Scene) -> None:
    """The group begins again where the log begins: no record is lost, and some were never read."""
    _require_quick_cleaning(scene)
    scene.create_topic(partitions=1)
    passed = scene.random.randint(50, 200)
    scene.publish(_READ)
    read(scene, _READ)
    scene.publish(passed)
    _set(scene, retention_ms="500")
    part, end = TopicPartition(scene.topic, 0), _READ + passed
    with KafkaConsumer(bootstrap_servers=scene.cluster.bootstrap_servers) as consumer:
        wait_until(lambda: consumer.beginning_offsets([part])[part] == end, 30, "Nothing expired.")
    _set(scene, retention_ms="-1")
    scene.publish(_NEW)
    scene.expect(_out_of_range(scene), "a member without a policy was told nothing")
    read(scene, _NEW, auto_offset_reset="earliest")
    scene.expired = passed


@row(
    "F32b",
    "compaction passes a consumer that is away",
    "cleanup.policy=compact",
    "it reads the last record of each key; those that went before are counted as expired",
    source="Every offset stays valid, and a read at one that is gone goes on with the next that "
    "is there (Kafka documentation, Design, Log Compaction)",
)
def f32b(scene: Scene) -> None:
    """A compacted topic keeps a state, not a history."""
    _require_quick_cleaning(scene)
    configs: dict[str, Any] = {"segment_ms": "1000", "min_cleanable_dirty_ratio": "0.01"}
    scene.create_topic(partitions=1, cleanup_policy="compact", **configs)
    scene.publish(_READ)
    read(scene, _READ)
    scene.publish(_PASSED)

    def compacted() -> bool:
        scene.publish(1)  # only what is not in the newest segment is compacted
        kept = observe.records(scene.cluster, scene.topic)["offset"]
        return int((kept < _READ + _PASSED).sum()) <= _KEYS

    wait_until(compacted, 45, "Nothing was compacted.", every=0.5)
    scene.publish(_NEW)
    read(scene, _NEW)
