"""The consumer of a subscriber: made, asked and ended in bounded time."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import MemberState

from eventlab.cluster import addresses
from eventlab.cluster.clients import give_out_again
from eventlab.errors import NeverHappened
from eventlab.orders.publisher.connect import client, find_topics
from eventlab.waiting import wait_until

log = logging.getLogger(__name__)

_SECURITY = ("security_", "sasl_", "ssl_")
_CLOSE = 5_000  # ms
_JOIN = 1.0  # seconds


def consumer(
    servers: str | Sequence[str], topics: Sequence[str], **config: Any
) -> tuple[Any, dict[str, Any]]:
    """Return a consumer that is connected, and what another client needs to reach these brokers.

    KafkaAway when nobody answers, UnknownTopic when there is no such topic.
    """
    found = addresses.parse(servers)
    if topics:  # a pattern may match none yet
        find_topics(found, config, *topics)
    address = {name: value for name, value in config.items() if name.startswith(_SECURITY)}
    made = client(KafkaConsumer, found, enable_auto_commit=False, **config)
    return made, {"bootstrap_servers": found, **address}


def subscribe(consumer: Any, topics: Sequence[str], pattern: str | None, listener: Any) -> None:
    """Subscribe to topics that are there, or to those that match.

    A first join of kafka-python 3.0.12 that does not know the partitions yet is followed by another
    one, at once: hence they are awaited for a moment, and without its own calls, which may wait for
    ever.
    """
    consumer.subscribe(topics, pattern=pattern, listener=listener)
    known = consumer._cluster.partitions_for_topic
    with contextlib.suppress(NeverHappened):
        wait_until(lambda: all(map(known, topics)), 3, "The partitions are not known yet.")


def belongs(consumer: Any) -> bool:
    """Say whether a consumer is a member of its group, as far as it can know.

    The group's coordinator has answered within the session timeout: after it, others are given the
    partitions (KIP-62).
    """
    coordinator = consumer._coordinator
    stable = coordinator.state is MemberState.STABLE
    return stable and not coordinator.heartbeat.session_timeout_expired()


def close(consumer: Any) -> None:
    """Leave the group and end the consumer; without an answer its thread and sockets end too."""
    try:
        consumer.close(autocommit=False, timeout_ms=_CLOSE)
    except KafkaError as error:
        log.info("The consumer could not say goodbye: %s", error)
        consumer._client.close()


def poll(consumer: Any, timeout: float) -> dict[Any, list[Any]]:
    """Return what came within so many seconds, longer while the group gives out partitions.

    A poll of kafka-python 3.0.12 that ends between JoinGroup and SyncGroup forgets to finish: the
    consumer believes that it need not join, sends no heartbeats, and gets nothing ever again.
    """
    coordinator = consumer._coordinator
    give_out_again(consumer)
    joins = coordinator.state is not MemberState.STABLE or coordinator.need_rejoin()
    polled: dict[Any, list[Any]] = consumer.poll(
        timeout_ms=max(timeout, _JOIN) * 1000 if joins else timeout * 1000
    )
    if coordinator.state is MemberState.REBALANCING and not coordinator.need_rejoin():
        coordinator.request_rejoin()
    return polled
