"""Finding the brokers and the topic, and ending a producer: each in bounded time."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from eventlab.cluster import addresses
from eventlab.cluster.clients import connected
from eventlab.errors import InvalidSetting, UnknownTopic, instead, shown
from eventlab.orders.publisher.errors import KafkaAway

_ADMIN = ("security_", "sasl_", "ssl_", "bootstrap_timeout_ms", "reconnect_", "proxy_url")
_ENDS = 3.0  # seconds that a thread which was told to end may take


def find_topics(servers: Sequence[str], settings: Mapping[str, Any], *wanted: object) -> None:
    """Return when there are such topics; UnknownTopic, or KafkaAway when nobody answers."""
    config = {name: value for name, value in settings.items() if name.startswith(_ADMIN)}
    config["request_timeout_ms"] = settings["bootstrap_timeout_ms"]
    try:
        admin = connected(KafkaAdminClient, bootstrap_servers=servers, **config)
        try:
            topics = sorted(admin.list_topics())
        finally:
            admin.close()
    except KafkaError as error:
        raise away(servers, error) from None
    for topic in wanted:
        if topic not in topics:
            seen, fix = instead(topic, topics, "Create it first: cluster.create_topic(...).")
            raise UnknownTopic(f"Topic {shown(topic)} does not exist.", seen, fix)


def client(kind: Any, servers: Sequence[str], **settings: Any) -> Any:
    """Return a client of this class that is connected; KafkaAway when nobody answers."""
    try:
        return connected(kind, bootstrap_servers=servers, **settings)
    except KafkaTimeoutError as error:
        raise away(servers, error) from None
    except (KafkaError, ValueError, TypeError, RuntimeError, AssertionError) as error:
        raise InvalidSetting(
            "kafka-python refuses these settings.",
            f"It says: {shown(str(error))}.",
            "Correct them, or leave them out.",
        ) from error


def away(servers: Sequence[str], error: Exception) -> KafkaAway:
    """Return that Kafka is away, with what a plain connection to the first address says."""
    return KafkaAway(
        f"Kafka does not answer at {', '.join(servers)}.",
        f"{servers[0]}: {_why(servers[0])} ({type(error).__name__}).",
        "Start it, or give the address of one that runs: cluster.bootstrap_servers.",
    )


def _why(address: str) -> str:
    try:
        socket.create_connection(addresses.split(address), timeout=0.3).close()
    except OSError as error:
        return error.strerror or str(error) or type(error).__name__
    return "somebody accepts connections there, and does not answer as a broker would"


def end(producer: KafkaProducer, within: float) -> None:
    """Close a producer in bounded time, with what was not sent when it has to be.

    `KafkaProducer.close(timeout)` of kafka-python 3.0.12 raises when records are left, and leaves
    its thread; and one that waits for a silent broker hears of nothing until its connection ends.
    """
    sender = producer._sender
    try:
        producer.close(timeout=within)
    except KafkaTimeoutError:
        sender.force_close()
    if sender.is_alive():
        client = sender._client
        with suppress(RuntimeError):  # it has ended meanwhile
            client._net.call_soon_threadsafe(client._manager.close)
        sender.join(_ENDS)
    producer.close(timeout=0)
