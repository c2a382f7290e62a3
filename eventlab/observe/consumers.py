"""Consumer groups: who belongs to them, what they have committed, how far behind they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd

from eventlab.errors import UnknownGroup, instead, shown
from eventlab.observe import frames, group_messages
from eventlab.observe.client import WITHIN, Client, Target, opened
from eventlab.observe.group_messages import Commit, Description, Member
from eventlab.observe.logs import described, end_offsets
from eventlab.observe.messages import Place
from eventlab.waiting import Deadline, wait_until


class Group(NamedTuple):
    """A group as its coordinator knows it; `None` is what it does not tell."""

    group_id: str
    type: str
    state: str
    protocol: str | None
    members: list[Member] | None
    coordinator: int
    commits: dict[Place, Commit] | None


def groups(cluster: Target | Client) -> pd.DataFrame:
    """Return the groups of the cluster.

    Columns: group_id, type, state, protocol (how it shares out partitions: "range", ...), number
    of members, coordinator (a node_id). Protocol and members are told of classic groups, which
    kafka-python's are; a generation is not told of any (DescribeGroups has none).
    """
    with opened(cluster) as client:
        found = _groups(client, None)
    counts = [None if group.members is None else len(group.members) for group in found]
    rows = [(*g[:4], count, g.coordinator) for g, count in zip(found, counts, strict=True)]
    return frames.table("groups", rows)


def members(cluster: Target | Client, group: str | None = None) -> pd.DataFrame:
    """Return the members of a group, or of all groups.

    Columns: group_id, member_id, client_id, host, assignment (a tuple of (topic, partition), empty
    while the group rebalances). UnknownGroup where there is none of this name.
    """
    with opened(cluster) as client:
        found = _groups(client, group)
    return frames.table(
        "members",
        [
            (each.group_id, member.member_id, member.client_id, member.host, member.assignment)
            for each in found
            for member in sorted(each.members or ())
        ],
    )


def offsets(cluster: Target | Client, group: str | None = None) -> pd.DataFrame:
    """Return what a group, or each group, has committed: no row where it never has.

    Columns: group_id, topic, partition, current_offset (that of the next record to be read),
    leader_epoch and metadata that were committed with it. UnknownGroup where there is none of
    this name.
    """
    with opened(cluster) as client:
        found = _groups(client, group)
    return frames.table(
        "offsets",
        [
            (each.group_id, *place, *commit)
            for each in found
            for place, commit in sorted((each.commits or {}).items())
        ],
    )


def lag(cluster: Target | Client, group: str | None = None) -> pd.DataFrame:
    """Return how far a group, or each group, is behind the end of the partitions it reads.

    Columns: group_id, topic, partition, current_offset, log_end_offset, lag, lag_seconds,
    consumer_id and client_id of the member that owns the partition (None for nobody), committed.
    UnknownGroup where there is none of this name.

    lag = log_end_offset - current_offset, as `kafka-consumer-groups --describe` has it: records
    that are not committed as read, whether they were read or not; with gaps in the log (compaction,
    transaction markers) an upper bound. Where nothing is committed, committed is False and
    current_offset and lag are NA: where the group will begin is its own choice
    (auto.offset.reset). It is below zero when committed records were lost.

    lag_seconds is how long ago the record at current_offset was written. It takes a history to
    know it, so here it is 0 without lag and NaN with it; a `watch` fills it in by interpolating
    between the (time, log_end_offset) it has seen, as Kafka Lag Exporter does
    (lightbend/kafka-lag-exporter#5).
    """
    with opened(cluster) as client:
        found = [each for each in _groups(client, group) if each.commits is not None]
        topics = sorted({topic for each in found for topic in _topics_of(each)})
        parts = described(client, topics) if topics else []
        ends = end_offsets(client, parts)
    numbers: dict[str, list[Place]] = defaultdict(list)
    for part in parts:
        numbers[part.topic].append(part.place)
    return frames.table("lag", [row for each in found for row in _rows(each, numbers, ends)])


def _topics_of(group: Group) -> set[str]:
    """Return the topics that a group has committed for, was given or wants."""
    places = {
        *(group.commits or ()),
        *(place for m in group.members or () for place in m.assignment),
    }
    return {topic for topic, _ in places} | {t for m in group.members or () for t in m.topics}


def _rows(
    group: Group, numbers: dict[str, list[Place]], ends: dict[Place, int]
) -> Iterator[tuple[object, ...]]:
    owners = {place: member for member in group.members or () for place in member.assignment}
    places = [place for topic in sorted(_topics_of(group)) for place in numbers.get(topic, ())]
    for place in places:
        commit, end, owner = (group.commits or {}).get(place), ends.get(place), owners.get(place)
        behind = None if commit is None or end is None else end - commit.offset
        yield (
            group.group_id,
            *place,
            commit and commit.offset,
            end,
            behind,
            0.0 if behind == 0 else float("nan"),
            owner and owner.member_id,
            owner and owner.client_id,
            commit is not None,
        )


def _groups(client: Client, name: str | None) -> list[Group]:
    """Return a group, or all groups, sorted by name, as far as their coordinators tell.

    Of one that is named all is told: it is asked for again while its coordinator is away.
    """
    absent, unrest = False, Deadline(0)

    def told() -> tuple[list[Group], list[Group]] | None:
        nonlocal absent, unrest
        client.unknown.clear()
        every = _all_groups(client, name)
        named = [group for group in every if group.group_id == name and group.commits is not None]
        if client.unknown:
            absent, unrest = False, Deadline(1)
        if name is None or named or (absent and not unrest.left):
            return every, named
        # A new coordinator lists no group before it has loaded it, but says so when asked for one;
        # and for a moment it may know nothing of the latest commits (seen with Kafka 4.4).
        absent = _is_absent(client, name)
        return None

    def doubt() -> str:
        return f"Group {shown(name)} cannot be asked for. {' '.join(client.unknown.values())}"

    every, named = wait_until(told, WITHIN, doubt)
    if name is not None and not named:
        names = [group.group_id for group in every]
        there, fix = instead(name, names, "Look at observe.groups(cluster).")
        raise UnknownGroup(f"Group {shown(name)} does not exist.", there, fix)
    return named or every


def _is_absent(client: Client, name: object) -> bool:
    """Say whether the coordinator of a group that was not listed confirms that there is none."""
    if not isinstance(name, str) or not name or name != name.encode(errors="ignore").decode():
        return True
    answers = client.everyone(lambda: [group_messages.find_coordinator(name)])
    found = {group_messages.coordinator(answer) for (answer,) in answers.values()} - {None}
    asked = client.ask({node: [group_messages.describe_groups([name])] for node in found})
    return any(group_messages.is_absent(answer) for (answer,) in asked.values())


def _all_groups(client: Client, name: str | None) -> list[Group]:
    """Return all groups; when one is named, only of that one more than its coordinator lists."""
    answers = client.everyone(lambda: [group_messages.list_groups()])
    listed = {
        node: group_messages.listed(told, client.unknown) for node, (told,) in answers.items()
    }
    asked = {
        node: [each.group_id for each in groups if name in (None, each.group_id)]
        for node, groups in listed.items()
    }
    known: dict[str, Description] = {}
    commits: dict[str, dict[Place, Commit]] = {}
    for description, committed in client.ask(_details(asked)).values():
        known |= group_messages.descriptions(description)
        commits |= group_messages.commits(committed, client.unknown)
    found = {
        each.group_id: Group(
            each.group_id,
            each.type,
            *known.get(each.group_id, (each.state, None, None)),
            coordinator=node,
            commits=commits.get(each.group_id),
        )
        for node, groups in listed.items()
        for each in groups
    }
    return [found[group_id] for group_id in sorted(found)]


def _details(asked: dict[int, list[str]]) -> dict[int, list[Any]]:
    return {
        node: [group_messages.describe_groups(names), group_messages.fetch_offsets(names)]
        for node, names in asked.items()
        if names
    }
