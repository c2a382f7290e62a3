"""The columns of every table, under Kafka's own words, in one place."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

TIME = "datetime64[ns, UTC]"
# Whole numbers that may be unknown are Int64; text that may be missing, and tuples, are objects.
COLUMNS = {
    "brokers": {
        "node_id": "int64",
        "address": "object",
        "rack": "object",
        "fenced": "bool",
        "answered": "bool",
        "leaders": "int64",
        "replicas": "int64",
        "in_sync": "int64",
        "size_bytes": "Int64",
    },
    "quorum": {
        "node_id": "int64",
        "status": "object",
        "leader_epoch": "int64",
        "log_end_offset": "Int64",
        "lag": "Int64",
        "last_fetch_time": TIME,
        "last_caught_up_time": TIME,
    },
    "topics": {
        "topic": "object",
        "partitions": "int64",
        "replication_factor": "int64",
        "min_insync_replicas": "Int64",
        "under_replicated": "int64",
        "under_min_isr": "Int64",
        "offline": "int64",
        "size_bytes": "Int64",
    },
    "partitions": {
        "topic": "object",
        "partition": "int64",
        "leader": "int64",
        "leader_epoch": "int64",
        "replicas": "object",
        "isr": "object",
        "elr": "object",
        "log_start_offset": "Int64",
        "log_end_offset": "Int64",
        "size_bytes": "Int64",
    },
    "groups": {
        "group_id": "object",
        "type": "object",
        "state": "object",
        "protocol": "object",
        "members": "Int64",
        "coordinator": "int64",
    },
    "members": {
        "group_id": "object",
        "member_id": "object",
        "client_id": "object",
        "host": "object",
        "assignment": "object",
    },
    "offsets": {
        "group_id": "object",
        "topic": "object",
        "partition": "int64",
        "current_offset": "int64",
        "leader_epoch": "Int64",
        "metadata": "object",
    },
    "lag": {
        "group_id": "object",
        "topic": "object",
        "partition": "int64",
        "current_offset": "Int64",
        "log_end_offset": "Int64",
        "lag": "Int64",
        "lag_seconds": "float64",
        "consumer_id": "object",
        "client_id": "object",
        "committed": "bool",
    },
    "errors": {"time": TIME, "error": "object"},
}


def table(kind: str, rows: Iterable[tuple[object, ...]] = ()) -> pd.DataFrame:
    """Return the rows under the columns of their kind, which have their types without a row too."""
    types = COLUMNS[kind]
    columns = list(zip(*rows, strict=True)) or [()] * len(types)
    named = zip(types.items(), columns, strict=True)
    return pd.DataFrame({name: pd.Series(list(each), dtype=kind) for (name, kind), each in named})
