"""The brokers and the quorum of controllers, as the cluster itself tells of them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from eventlab.observe import frames, messages
from eventlab.observe.client import WITHIN, Client, Target, opened
from eventlab.observe.logs import described
from eventlab.waiting import wait_until


def brokers(cluster: Target | Client) -> pd.DataFrame:
    """Return the brokers.

    Columns: node_id, address, rack, fenced (the controller keeps it from leading), answered (just
    now); how many of all partitions, Kafka's own too, it leads (leaders), holds (replicas) and is
    in sync with (in_sync); size_bytes on its disk, NA where it did not answer.
    """
    with opened(cluster) as client:
        answers = client.everyone(lambda: [messages.cluster(), messages.log_dirs(None)])
        parts = described(client, [])
    told = [answer for answer, _ in answers.values()]
    fenced, _ = messages.fenced(told)
    found = {node_id: rest for answer in told for node_id, *rest in messages.nodes(answer)}
    sizes = {node: sum(messages.sizes(answer).values()) for node, (_, answer) in answers.items()}
    return frames.table(
        "brokers",
        [
            (
                node_id,
                *found[node_id],
                2 * fenced[node_id] >= len(told),  # what most say: one may be cut off
                node_id in answers,
                sum(part.leader == node_id for part in parts),
                sum(node_id in part.replicas for part in parts),
                sum(node_id in part.isr for part in parts),
                sizes.get(node_id),
            )
            for node_id in sorted(found)
        ],
    )


def quorum(cluster: Target | Client) -> pd.DataFrame:
    """Return the replicas of the cluster's metadata: the controllers vote, brokers observe.

    Columns, as `kafka-metadata-quorum describe --replication` has them: node_id, status (Leader,
    Follower or Observer), leader_epoch (one higher after each election), log_end_offset, lag
    behind the leader, last_fetch_time and last_caught_up_time (NaT where the leader knows none).
    NeverHappened when no controller answers.
    """
    with opened(cluster) as client:
        state = wait_until(lambda: _quorum(client), WITHIN, "No controller answered.")
        client.unknown.clear()  # one answer is enough
    replicas = {replica.replica_id: "Observer" for replica in state.observers}
    replicas |= {replica.replica_id: "Follower" for replica in state.current_voters}
    replicas |= {state.leader_id: "Leader"}
    told = {replica.replica_id: replica for replica in [*state.observers, *state.current_voters]}
    end = told[state.leader_id].log_end_offset
    return frames.table(
        "quorum",
        [
            (
                node_id,
                status,
                state.leader_epoch,
                told[node_id].log_end_offset,
                end - told[node_id].log_end_offset,
                _time(told[node_id].last_fetch_timestamp),
                _time(told[node_id].last_caught_up_timestamp),
            )
            for node_id, status in sorted(replicas.items())
        ],
    )


def _quorum(client: Client) -> Any:
    """Return what the latest controller tells; every broker passes the question on to it."""
    nodes = client.everyone(list)
    answers = client.ask({node: [messages.quorum()] for node in nodes})
    told = [messages.quorum_state(answer) for (answer,) in answers.values()]
    return max(filter(None, told), key=lambda state: state.leader_epoch, default=None)


def _time(milliseconds: int) -> pd.Timestamp | None:
    return None if milliseconds < 0 else pd.Timestamp(milliseconds, unit="ms", tz="UTC")
