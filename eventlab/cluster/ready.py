"""When a cluster is ready: conditions asked of the cluster itself, never a time that has passed."""

from __future__ import annotations

import socket
from typing import Any

from eventlab.cluster.clients import connected
from eventlab.waiting import Deadline, wait_until


def accepts(port: int) -> bool:
    """Say whether somebody accepts connections on this port of 127.0.0.1.

    A Kafka 4 broker opens its listeners after the controller has unfenced it.
    """
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def admin_client(
    bootstrap_servers: str, deadline: Deadline, each: float = 10.0, **security: Any
) -> Any:
    """Return a connected KafkaAdminClient that gives a request `each` seconds.

    Whoever asks for it closes it.
    """
    from kafka import KafkaAdminClient  # imported late: 0.1 s that `eventlab status` saves

    return connected(
        KafkaAdminClient,
        bootstrap_servers=bootstrap_servers,
        client_id="eventlab",
        bootstrap_timeout_ms=int(deadline.left * 1000),
        request_timeout_ms=int(Deadline(each).seconds * 1000),
        retry_backoff_ms=20,
        **security,
    )


def await_service(bootstrap_servers: str, brokers: int, deadline: Deadline) -> None:
    """Return when every broker is registered and unfenced and a group coordinator answers.

    The coordinator's topic has the replication factor of the cluster, so its answer also shows
    that a replicated topic can be created.
    """
    from kafka.errors import KafkaError

    admin = admin_client(bootstrap_servers, deadline)
    try:
        seen: list[int] = []

        def all_unfenced() -> bool:
            try:
                told = admin.describe_cluster()["brokers"]  # fenced ones are told of too
            except KafkaError as error:
                if not error.retriable:
                    raise
                return False  # the broker that was asked is not open yet, or has just ended
            seen[:] = sorted(broker["broker_id"] for broker in told if not broker["is_fenced"])
            return len(seen) == brokers

        wait_until(all_unfenced, deadline, lambda: f"Only the brokers {seen} joined the cluster.")
        wait_until(lambda: _coordinator_answers(admin), deadline, "No group coordinator answers.")
    finally:
        admin.close()


def _coordinator_answers(admin: Any) -> bool:
    from kafka.errors import KafkaError

    try:  # asking for a group finds its coordinator, which creates __consumer_offsets
        admin.describe_groups(["eventlab-ready"])
    except KafkaError as error:
        # "No such group" is the coordinator's own answer, and all that is wanted of it.
        return type(error).__name__ == "GroupIdNotFoundError"
    return True


def exercise(bootstrap_servers: str, brokers: int, deadline: Deadline) -> None:
    """Do once what lessons do: create, produce, consume in a group, commit, delete."""
    from kafka import KafkaConsumer, KafkaProducer

    await_service(bootstrap_servers, brokers, deadline)
    admin = admin_client(bootstrap_servers, deadline)
    shape = {"num_partitions": 3, "replication_factor": brokers}
    admin.create_topics({"training": shape}, wait_for_metadata=True)
    with KafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
        for number in range(100):
            producer.send("training", key=b"%d" % number, value=b"x" * 100)
        producer.flush(timeout=deadline.left)
    with KafkaConsumer(
        "training",
        bootstrap_servers=bootstrap_servers,
        group_id="training",
        auto_offset_reset="earliest",
    ) as consumer:
        read = 0
        while read < 100 and deadline.left:
            read += sum(map(len, consumer.poll(timeout_ms=500).values()))
        consumer.commit()
    admin.delete_topics(["training"])
    admin.close()
