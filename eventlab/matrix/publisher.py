"""A kernel that publishes, run as a process of its own: it holds the cluster while it lives.

python -m eventlab.matrix.publisher '{"cluster": ..., "topic": ..., "name": ..., ...}'
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from kafka import KafkaProducer

from eventlab.cluster.cluster import Cluster
from eventlab.matrix.inside import Parent, task
from eventlab.matrix.journal import Journal

_AT_ONCE = 20


def main() -> None:
    """Publish until the parent says "end"."""
    told, parent = task(), Parent()
    journal = Journal(Path(told["journal"]), told["name"], enable_idempotence=True)
    with (
        Cluster(told["cluster"]) as cluster,
        KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, acks="all") as producer,
    ):
        number = 0
        while not parent.ends:
            sent = [_send(producer, journal, told, number + more) for more in range(_AT_ONCE)]
            number += len(sent)
            for future in sent:
                future.get(timeout=60)


def _send(producer: KafkaProducer, journal: Journal, told: dict[str, Any], number: int) -> Any:
    key, value = b"k%d" % (number % 20), f"{told['name']} {number}".encode()
    send = journal.sent(told["topic"], key, value)
    future = producer.send(told["topic"], key=key, value=value)
    future.add_callback(partial(_acked, journal, send))
    return future


def _acked(journal: Journal, send: int, told: Any) -> None:
    journal.acked(send, told.partition, told.offset)


if __name__ == "__main__":
    main()
