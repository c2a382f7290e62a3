"""What coordinators are asked of their groups, and what their answers say; see `messages`."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from kafka.errors import GroupIdNotFoundError
from kafka.protocol.admin import DescribeGroupsRequest, ListGroupsRequest
from kafka.protocol.consumer import (
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    OffsetFetchRequest,
)
from kafka.protocol.metadata import FindCoordinatorRequest

from eventlab.observe.messages import Place, Unknown, right


class Listed(NamedTuple):
    """What a coordinator lists of a group."""

    group_id: str
    type: str
    state: str


class Member(NamedTuple):
    """A member of a group, the topics it wants and the partitions it was given."""

    member_id: str
    client_id: str
    host: str
    topics: tuple[str, ...]
    assignment: tuple[Place, ...]


class Commit(NamedTuple):
    """What a group has committed for a partition."""

    offset: int
    leader_epoch: int | None
    metadata: str


Description = tuple[str, str | None, list[Member] | None]  # state, protocol and members


def list_groups() -> Any:
    """Ask a broker for the groups that it coordinates."""
    return ListGroupsRequest()


def listed(answer: Any, unknown: Unknown) -> list[Listed]:
    """Return the groups."""
    if not right(answer.error_code, "The list of groups", unknown):
        return []
    return [Listed(g.group_id, g.group_type, g.group_state) for g in answer.groups]


def find_coordinator(group_id: str) -> Any:
    """Ask any broker who coordinates a group, whether there is one of this name or not."""
    return FindCoordinatorRequest(key_type=0, coordinator_keys=[group_id], min_version=4)


def coordinator(answer: Any) -> int | None:
    """Return the node_id, or None when there is none at the moment."""
    (told,) = answer.coordinators
    return None if told.error_code else told.node_id


def describe_groups(group_ids: list[str]) -> Any:
    """Ask a coordinator for the members of its groups."""
    return DescribeGroupsRequest(groups=group_ids)


def descriptions(answer: Any) -> dict[str, Description]:
    """Return state, protocol and members by group; groups that are not classic are left out."""
    return {
        group.group_id: (
            group.group_state,
            group.protocol_data or None,
            list(map(_member, group.members)),
        )
        for group in answer.groups
        if not group.error_code
    }


def is_absent(answer: Any) -> bool:
    """Say whether a coordinator says that it has no such group (KIP-1043)."""
    (group,) = answer.groups
    # Before Kafka 4.0 a group that is not there was "Dead", without an error.
    dead = group.group_state == "Dead" and not group.error_code
    return dead or group.error_code == GroupIdNotFoundError.errno


def _member(told: Any) -> Member:
    # Only consumers fill these bytes so; and only while their group is stable.
    try:
        wanted = ConsumerProtocolSubscription.decode(told.member_metadata).topics
        given = ConsumerProtocolAssignment.decode(told.member_assignment).partitions()
    except (struct.error, IndexError, ValueError, TypeError):
        wanted, given = [], []
    places = tuple(sorted((topic, number) for topic, number in given))
    return Member(told.member_id, told.client_id, told.client_host, tuple(wanted), places)


def fetch_offsets(group_ids: list[str]) -> Any:
    """Ask a coordinator for all that its groups have committed, in one request (KIP-709)."""
    one = OffsetFetchRequest.OffsetFetchRequestGroup
    wanted = [one(group_id=name, topics=None) for name in group_ids]
    return OffsetFetchRequest(groups=wanted, min_version=8, max_version=8)


def commits(answer: Any, unknown: Unknown) -> dict[str, dict[Place, Commit]]:
    """Return what is committed, by group and partition."""
    return {
        group.group_id: {
            (topic.name, part.partition_index): Commit(
                part.committed_offset, _epoch(part.committed_leader_epoch), part.metadata
            )
            for topic in group.topics
            for part in topic.partitions
            if not part.error_code and part.committed_offset >= 0
        }
        for group in answer.groups
        if right(group.error_code, f"Group '{group.group_id}'", unknown)
    }


def _epoch(told: int) -> int | None:
    return None if told < 0 else told
