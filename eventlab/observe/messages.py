"""What brokers are asked, and what their answers say, as plain values: Kafka's protocol.

A question has beside it what reads its answer. What an answer leaves open is noted in `unknown`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from kafka.errors import for_code
from kafka.protocol.admin import (
    DescribeClusterRequest,
    DescribeConfigsRequest,
    DescribeLogDirsRequest,
    DescribeQuorumRequest,
    DescribeTopicPartitionsRequest,
)
from kafka.protocol.consumer import ListOffsetsRequest
from kafka.protocol.metadata import MetadataRequest

Place = tuple[str, int]  # a topic and the number of one of its partitions
Unknown = dict[Any, str]

EARLIEST, LATEST = -2, -1  # Kafka's numbers for the ends of a log, instead of a timestamp


class Partition(NamedTuple):
    """What a broker knows of a partition."""

    topic: str
    partition: int
    leader: int
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    elr: tuple[int, ...] | None
    internal: bool

    @property
    def place(self) -> Place:
        """The topic and the number."""
        return self.topic, self.partition


def brokers() -> Any:
    """Ask which brokers there are; no topic is asked for, hence none created."""
    return MetadataRequest(topics=[], allow_auto_topic_creation=False)


def cluster() -> Any:
    """Ask for the brokers, fenced ones too."""
    return DescribeClusterRequest(include_fenced_brokers=True)


def nodes(answer: Any) -> list[tuple[int, str, str | None]]:
    """Return node_id, address and rack of each broker."""
    return [(each.broker_id, f"{each.host}:{each.port}", each.rack) for each in answer.brokers]


def fenced(answers: Iterable[Any]) -> tuple[Counter[int], set[int]]:
    """Return how many answers say of each broker that it is fenced, and all the other brokers."""
    told = [each for answer in answers for each in answer.brokers]
    votes = Counter(each.broker_id for each in told if each.is_fenced)
    return votes, {each.broker_id for each in told} - set(votes)


def topics(names: Iterable[str], cursor: Any = None) -> Any:
    """Ask for the partitions of topics, of all without a name, with their ELR (KIP-966)."""
    wanted = [DescribeTopicPartitionsRequest.TopicRequest(name=name) for name in names]
    return DescribeTopicPartitionsRequest(topics=wanted, cursor=cursor)


def partitions(answer: Any) -> Iterator[Partition]:
    """Return what the answer knows; nothing of a topic that does not exist."""
    for topic in answer.topics:
        for part in topic.partitions:
            elr = part.eligible_leader_replicas
            yield Partition(
                topic.name,
                part.partition_index,
                part.leader_id,
                part.leader_epoch,
                tuple(part.replica_nodes),
                tuple(part.isr_nodes),
                None if elr is None else tuple(elr),
                topic.is_internal,
            )


def cursor(answer: Any) -> Any | None:
    """Return where the next page begins, or None after the last."""
    end = answer.next_cursor
    page = DescribeTopicPartitionsRequest.Cursor
    return end and page(topic_name=end.topic_name, partition_index=end.partition_index)


def ends(places: Iterable[Place], timestamp: int, isolation_level: int = 0) -> Any:
    """Ask for an end of the log, or for the first offset at or after a timestamp in ms."""
    # Versions from 6 on only add tags, which kafka-python writes and reads for every partition.
    return ListOffsetsRequest(
        replica_id=-1,
        isolation_level=isolation_level,
        topics=_ends(tuple(places), timestamp),
        max_version=5,
    )


@lru_cache(maxsize=16)  # a watch asks the same each time; building it is a third of a question
def _ends(places: tuple[Place, ...], timestamp: int) -> list[Any]:
    one = ListOffsetsRequest.ListOffsetsTopic
    return [
        one(
            name=topic,
            partitions=[
                one.ListOffsetsPartition(partition_index=n, timestamp=timestamp) for n in ns
            ],
        )
        for topic, ns in _by_topic(places).items()
    ]


def offsets(answer: Any, unknown: Unknown) -> dict[Place, int]:
    """Return the offsets; -1 where no record is as young as the timestamp."""
    found = {}
    for topic in answer.topics:
        for part in topic.partitions:
            place = topic.name, part.partition_index
            if not part.error_code:
                found[place] = part.offset
            else:
                right(part.error_code, f"Partition {place[1]} of '{place[0]}'", unknown)
    return found


def log_dirs(places: Iterable[Place] | None) -> Any:
    """Ask a broker for the size of its replicas, of all without a partition."""
    one = DescribeLogDirsRequest.DescribableLogDirTopic
    wanted = places and [one(topic=t, partitions=n) for t, n in _by_topic(places).items()]
    return DescribeLogDirsRequest(topics=wanted)


def sizes(answer: Any) -> dict[Place, int]:
    """Return the bytes that each replica of the broker has on disk."""
    return {
        (topic.name, part.partition_index): part.partition_size
        for folder in answer.results
        for topic in folder.topics
        for part in topic.partitions
        if not part.is_future_key
    }


def topic_configs(names: Iterable[str], key: str) -> Any:
    """Ask for one setting of topics."""
    one = DescribeConfigsRequest.DescribeConfigsResource
    topic = 2  # ConfigResourceType.TOPIC
    return DescribeConfigsRequest(
        resources=[
            one(resource_type=topic, resource_name=n, configuration_keys=[key]) for n in names
        ]
    )


def values(answer: Any) -> dict[str, str]:
    """Return the setting by topic."""
    return {told.resource_name: told.configs[0].value for told in answer.results if told.configs}


def quorum() -> Any:
    """Ask for the replicas of the metadata log; the broker asks the active controller."""
    topic = DescribeQuorumRequest.TopicData
    part = topic.PartitionData(partition_index=0)
    return DescribeQuorumRequest(topics=[topic(topic_name="__cluster_metadata", partitions=[part])])


def quorum_state(answer: Any) -> Any | None:
    """Return the state of the metadata log, or None when no controller leads it."""
    told = [part for topic in answer.topics for part in topic.partitions if not part.error_code]
    return told[0] if told and not answer.error_code and told[0].leader_id >= 0 else None


def _by_topic(places: Iterable[Place]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for topic, number in places:
        found[topic].append(number)
    return found


def right(code: int, what: str, unknown: Unknown) -> bool:
    """Say whether there is no error; note one that there is."""
    if code:
        unknown.setdefault(what, f"{what} could not be asked ({for_code(code).__name__}).")
    return not code
