"""Where a missing record is: in no broker's files, or in one that nobody can read from.

Brokers tell where their logs are (DescribeLogDirs, KIP-113). Where that is on this machine and of
this cluster, the segments of the partitions in question are read as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import BrokerResponseError, RetriableError, UnknownBrokerIdError
from kafka.record import MemoryRecords

from eventlab.history.clients import opened
from eventlab.history.names import checksum
from eventlab.history.tables import Column, Disks, Evidence
from eventlab.waiting import Deadline

MOST_BYTES = 256 * 2**20  # of one partition on one broker

AWAY = (RetriableError, BrokerResponseError, UnknownBrokerIdError)  # a broker, at the wrong time

Rows = list[tuple[int, int, int, int]]  # node, part, offset, check


def look(
    address: Mapping[str, Any],
    evidence: Evidence,
    parts: Column,
    cluster_id: str,
    deadline: Deadline,
) -> tuple[Disks | None, Column]:
    """Return what is on the disks of these partitions, and which partitions are compacted."""
    compacted = np.zeros(len(evidence.parts), bool)
    within = int(max(1, min(deadline.left, 5)) * 1000)
    config = {"bootstrap_timeout_ms": within, "request_timeout_ms": within}
    try:
        with opened(KafkaAdminClient, address, **config) as admin:
            topics = sorted({evidence.parts[part][0] for part in parts})
            policies = _policies(admin, topics)
            compacted[:] = ["compact" in policies.get(topic, "") for topic, _ in evidence.parts]
            leaders = _leaders(admin, topics)
            places = list(_places(admin, topics, cluster_id))
    except AWAY:
        return None, compacted
    rows: Rows = []
    for node, folder in places:
        for part in parts:
            topic, partition = evidence.parts[part]
            rows += _segments(node, int(part), folder / f"{topic}-{partition}", deadline)
    node_, part_, offset, check = np.array(rows, np.int64).reshape(-1, 4).T
    leader = np.array([leaders.get(part, -1) for part in evidence.parts])
    return Disks(
        node_, part_, offset, check, leader, tuple(sorted({node for node, _ in places}))
    ), compacted


def _policies(admin: Any, topics: list[str]) -> dict[str, str]:
    key = "cleanup.policy"
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic, {key: None}) for topic in topics]
    told = admin.describe_configs(asked, config_filter="all")["topic"]
    return {topic: str(configs[key]["value"]) for topic, configs in told.items()}


def _leaders(admin: Any, topics: list[str]) -> dict[tuple[str, int], int]:
    return {
        (topic["name"], part["partition_index"]): part["leader_id"]
        for topic in admin.describe_topics(topics)
        for part in topic["partitions"]
    }


def _places(admin: Any, topics: list[str], cluster_id: str) -> Iterator[tuple[int, Path]]:
    """Give each broker's folders, as far as they are on this machine and of this cluster."""
    for told in admin.describe_log_dirs(topics):
        for folder in told["log_dirs"]:
            path = Path(folder["log_dir"])
            try:
                properties = (path / "meta.properties").read_text().splitlines()
            except OSError:
                continue
            if {f"cluster.id={cluster_id}", f"node.id={told['broker']}"} <= set(properties):
                yield told["broker"], path


def _segments(node: int, part: int, folder: Path, deadline: Deadline) -> Rows:
    """Return the records of a partition's segments; of a batch that is cut off, none."""
    paths = sorted(folder.glob("*.log"))
    rows: Rows = []
    if sum(path.stat().st_size for path in paths) > MOST_BYTES:
        return rows
    for path in paths:
        records = MemoryRecords(path.read_bytes())
        while deadline.left and records.has_next():
            batch = records.next_batch()
            if not batch.is_control_batch:
                rows += [(node, part, r.offset, checksum(r.key, r.value)) for r in batch]
    return rows
