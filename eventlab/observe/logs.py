"""Topics and their partitions: who leads, who is in sync, where the logs begin and end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from eventlab.cluster.topics import NAME
from eventlab.errors import UnknownTopic, instead, shown
from eventlab.observe import frames, messages
from eventlab.observe.client import WITHIN, Client, Target, opened
from eventlab.observe.messages import EARLIEST, LATEST, Partition, Place
from eventlab.waiting import wait_until


def topics(cluster: Target | Client) -> pd.DataFrame:
    """Return the topics of the cluster, without Kafka's own.

    Columns: topic, partitions, replication_factor, min_insync_replicas; of its partitions, how
    many are under_replicated (fewer in sync than replicas), under_min_isr (fewer in sync than
    min.insync.replicas) and offline (no leader), as Kafka's own metrics call them; size_bytes of
    the leaders' logs.
    """
    with opened(cluster) as client:
        parts = [part for part in state(client) if not part.internal]
        wanted = _min_in_sync(client, sorted({part.topic for part in parts}))
        sizes = _sizes(of_leaders(client, parts, lambda places: [messages.log_dirs(places)]))
    by_topic = groupby(parts, lambda part: part.topic)
    return frames.table(
        "topics", [_topic(list(each), wanted.get(t), sizes) for t, each in by_topic]
    )


def _topic(parts: list[Partition], wanted: int | None, sizes: dict[Place, int]) -> tuple[Any, ...]:
    known = [sizes[part.place] for part in parts if part.place in sizes]
    return (
        parts[0].topic,
        len(parts),
        max(len(part.replicas) for part in parts),
        wanted,
        sum(len(part.isr) < len(part.replicas) for part in parts),
        wanted and sum(len(part.isr) < wanted for part in parts),
        sum(part.leader < 0 for part in parts),
        sum(known) if len(known) == len(parts) else None,
    )


def _min_in_sync(client: Client, names: list[str]) -> dict[str, int]:
    answers = client.everyone(lambda: [messages.topic_configs(names, "min.insync.replicas")])
    told = (messages.values(answer) for (answer,) in answers.values())
    return {name: int(value) for values in told for name, value in values.items()}


def partitions(cluster: Target | Client, topic: str | None = None) -> pd.DataFrame:
    """Return the partitions of a topic, or of all that are not Kafka's own.

    Columns: topic, partition, leader (a node_id, -1 for none), leader_epoch, replicas and isr
    (tuples of node_id), elr (the eligible leader replicas of KIP-966, None where brokers do not
    tell), log_start_offset, log_end_offset, size_bytes on the leader's disk. The last three are
    NA where no leader answers. UnknownTopic where there is none of this name.

    log_end_offset is the one that consumers see and that Kafka's tools call so: the high
    watermark, the end of what is replicated (ListOffsets with -1), not of what is written.
    """
    with opened(cluster) as client:
        parts = [p for p in state(client, topic) if topic is not None or not p.internal]
        asked = of_leaders(client, parts, _log_of)
        starts, ends = (offsets_told(client, asked, which) for which in (0, 1))
        sizes = _sizes([answers[2:] for answers in asked])
    return frames.table(
        "partitions",
        [
            (*part[:-1], starts.get(part.place), ends.get(part.place), sizes.get(part.place))
            for part in parts
        ],
    )


def _log_of(places: list[Place]) -> list[Any]:
    ends = [messages.ends(places, which) for which in (EARLIEST, LATEST)]
    return [*ends, messages.log_dirs(places)]


def end_offsets(client: Client, parts: Sequence[Partition]) -> dict[Place, int]:
    """Return the log end offsets of the partitions whose leaders tell them."""
    asked = of_leaders(client, parts, lambda places: [messages.ends(places, LATEST)])
    return offsets_told(client, asked, 0)


def state(client: Client, topic: str | None = None) -> list[Partition]:
    """Return the partitions of a topic, or of all topics; UnknownTopic where there is none."""
    usable = topic is None or (isinstance(topic, str) and NAME.fullmatch(topic))
    parts = described(client, [] if topic is None else [topic]) if usable else []
    if topic is not None and not parts:
        names = sorted({part.topic for part in described(client, []) if not part.internal})
        there, fix = instead(topic, names, "Look at observe.topics(cluster).")
        raise UnknownTopic(f"Topic {shown(topic)} does not exist.", there, fix)
    return parts


def described(client: Client, names: Sequence[str]) -> list[Partition]:
    """Return the partitions of those of the topics that exist, of all topics without a name.

    They are as the best informed of the brokers knows them, or the next one that answers.
    """

    def told() -> tuple[list[Partition]] | None:
        if not client.informed:
            client.everyone(list)
        pages = (_pages(client, node, names) for node in client.informed)
        parts = next((each for each in pages if each is not None), None)
        client.informed = client.informed if parts is not None else []
        return None if parts is None else (parts,)

    (parts,) = wait_until(told, WITHIN, "No broker of the cluster answered.")
    return sorted(parts)


def _pages(client: Client, node: int, names: Sequence[str]) -> list[Partition] | None:
    """Return all that a broker knows, page after page; None when it does not answer."""
    parts: list[Partition] = []
    after = None
    while answers := client.ask({node: [messages.topics(names, after)]}):
        parts += messages.partitions(answers[node][0])
        after = messages.cursor(answers[node][0])
        if after is None:
            return parts
    return None


def of_leaders(
    client: Client, parts: Sequence[Partition], questions: Callable[[list[Place]], list[Any]]
) -> list[list[Any]]:
    """Ask each leader for its partitions; return the answers of each."""
    led: dict[int, list[Place]] = defaultdict(list)
    for part in parts:
        if part.leader >= 0:
            led[part.leader].append(part.place)
    return list(client.ask({node: questions(places) for node, places in led.items()}).values())


def offsets_told(client: Client, asked: list[list[Any]], which: int) -> dict[Place, int]:
    """Return the offsets that leaders told in one of their answers."""
    told = (messages.offsets(answers[which], client.unknown) for answers in asked)
    return {place: offset for each in told for place, offset in each.items()}


def _sizes(asked: list[list[Any]]) -> dict[Place, int]:
    told = (messages.sizes(answer) for (answer,) in asked)
    return {place: size for each in told for place, size in each.items()}
