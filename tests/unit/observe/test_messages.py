"""What answers say is read as it is, and what they leave open is noted; Kafka's own messages."""

from __future__ import annotations

from kafka.protocol.admin import (
    DescribeClusterResponse,
    DescribeGroupsResponse,
    DescribeTopicPartitionsResponse,
    ListGroupsResponse,
)
from kafka.protocol.consumer import ListOffsetsResponse, OffsetFetchResponse

from eventlab.observe import group_messages, messages


def cluster(*fenced: int) -> DescribeClusterResponse:
    """Return an answer that tells of three brokers."""
    broker = DescribeClusterResponse.DescribeClusterBroker
    return DescribeClusterResponse(
        brokers=[
            broker(broker_id=node, host="h", port=9090 + node, rack=None, is_fenced=node in fenced)
            for node in (1, 2, 3)
        ]
    )


def test_who_is_said_to_be_fenced_is_the_least_informed():
    """Broker 3 is cut off: it says that all is well, the others that it is gone."""
    votes, there = messages.fenced([cluster(3), cluster(3), cluster()])
    assert sorted([3, 1, 2], key=lambda node: votes[node]) == [1, 2, 3]
    assert there == {1, 2}
    assert messages.fenced([]) == ({}, set())


def test_a_broker_is_where_it_says():
    """Host and port are one address, as everywhere else."""
    assert messages.nodes(cluster())[0] == (1, "h:9091", None)


def test_no_elr_is_told_apart_from_an_empty_one():
    """None where a broker does not know KIP-966, () where no replica is eligible."""
    topic = DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponseTopic
    part = topic.DescribeTopicPartitionsResponsePartition

    def told(elr):
        return part(
            partition_index=0,
            leader_id=1,
            leader_epoch=4,
            replica_nodes=[1, 2],
            isr_nodes=[1],
            eligible_leader_replicas=elr,
        )

    answer = DescribeTopicPartitionsResponse(
        topics=[
            topic(error_code=0, name="a", is_internal=True, partitions=[told(None)]),
            topic(error_code=0, name="b", is_internal=False, partitions=[told([]), told([2])]),
            topic(error_code=3, name="no such", is_internal=False, partitions=[]),
        ],
        next_cursor=None,
    )
    parts = list(messages.partitions(answer))
    assert [part.elr for part in parts] == [None, (), (2,)]
    assert parts[0] == ("a", 0, 1, 4, (1, 2), (1,), None, True)
    assert messages.cursor(answer) is None


def test_an_offset_that_cannot_be_told_is_missing_and_noted():
    """Of two partitions one has just lost its leader."""
    topic = ListOffsetsResponse.ListOffsetsTopicResponse
    part = topic.ListOffsetsPartitionResponse
    parts = [
        part(partition_index=0, error_code=0, offset=7),
        part(partition_index=1, error_code=6, offset=-1),
    ]
    unknown: dict[object, str] = {}
    answer = ListOffsetsResponse(topics=[topic(name="orders", partitions=parts)])
    assert messages.offsets(answer, unknown) == {("orders", 0): 7}
    (sentence,) = unknown.values()
    assert sentence == "Partition 1 of 'orders' could not be asked (NotLeaderForPartitionError)."


def test_an_offset_of_minus_one_is_no_commit():
    """Brokers say -1 where nothing was committed; an epoch of -1 is none."""
    group = OffsetFetchResponse.OffsetFetchResponseGroup
    topic = group.OffsetFetchResponseTopics
    part = topic.OffsetFetchResponsePartitions
    parts = [
        part(partition_index=n, committed_offset=at, committed_leader_epoch=-1, metadata="m")
        for n, at in enumerate([5, -1])
    ]
    whole = group(group_id="a", error_code=0, topics=[topic(name="t", partitions=parts)])
    loading = group(group_id="b", error_code=14, topics=[])
    unknown: dict[object, str] = {}
    answer = OffsetFetchResponse(groups=[whole, loading])
    assert group_messages.commits(answer, unknown) == {"a": {("t", 0): (5, None, "m")}}
    (sentence,) = unknown.values()
    assert sentence == "Group 'b' could not be asked (CoordinatorLoadInProgressError)."


def test_members_of_other_protocols_have_no_assignment():
    """Kafka Connect's workers form groups too, and fill the same bytes in their own way."""
    group = DescribeGroupsResponse.DescribedGroup
    member = group.DescribedGroupMember
    worker = member(
        member_id="w",
        client_id="connect",
        client_host="/h",
        member_metadata=b"\x00\x01http",
        member_assignment=b"\xff",
    )
    gone = group(group_id="gone", error_code=69, group_state="Dead")
    connect = group(
        group_id="connect", error_code=0, group_state="Stable", protocol_data="d", members=[worker]
    )
    told = group_messages.descriptions(DescribeGroupsResponse(groups=[connect, gone]))
    assert told == {"connect": ("Stable", "d", [("w", "connect", "/h", (), ())])}
    assert group_messages.is_absent(DescribeGroupsResponse(groups=[gone]))
    assert not group_messages.is_absent(DescribeGroupsResponse(groups=[connect]))


def test_a_list_of_groups_that_is_not_told_is_noted():
    """A broker that loads its groups knows none of them yet."""
    unknown: dict[object, str] = {}
    assert group_messages.listed(ListGroupsResponse(error_code=15, groups=[]), unknown) == []
    assert list(unknown.values()) == [
        "The list of groups could not be asked (CoordinatorNotAvailableError)."
    ]
