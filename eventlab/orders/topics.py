"""The topics of the shop: made as the shop needs them, and left alone when they are there.

make("127.0.0.1:9092")               # ['customers', 'orders', 'products'], those that are new
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from eventlab.cluster import addresses
from eventlab.cluster.clients import connected
from eventlab.orders.asyncapi import TOPICS
from eventlab.orders.publisher.connect import away

PARTITIONS = 3
_COPIES = 3  # or as many as there are brokers


def make(
    bootstrap_servers: str | Sequence[str], partitions: int = PARTITIONS, **security: Any
) -> list[str]:
    """Make the topics of the shop that are missing; return their names. KafkaAway within seconds.

    Each has three replicas, two of which have to be in sync for a write (min.insync.replicas):
    one broker may be lost at any time, with all that it was told. `security` is what
    KafkaAdminClient has to know to talk to the brokers.
    """
    servers = addresses.parse(bootstrap_servers)
    settings = {"request_timeout_ms": 5_000, "bootstrap_timeout_ms": 3_000, **security}
    try:
        admin = connected(KafkaAdminClient, bootstrap_servers=servers, **settings)
        try:
            return _make(admin, partitions)
        finally:
            admin.close()
    except KafkaError as error:
        raise away(servers, error) from None


def _make(admin: KafkaAdminClient, partitions: int) -> list[str]:
    missing = sorted(set(TOPICS.values()) - set(admin.list_topics()))
    copies = min(_COPIES, len(admin.describe_cluster()["brokers"]))
    shape = {
        "num_partitions": partitions,
        "replication_factor": copies,
        "configs": {"min.insync.replicas": str(max(1, copies - 1))},
    }
    if missing:
        with contextlib.suppress(TopicAlreadyExistsError):  # somebody else was faster
            admin.create_topics(dict.fromkeys(missing, shape), wait_for_metadata=True)
    return missing
