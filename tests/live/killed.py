"""Processes that are killed: a subscriber as a program of a user would be, and a replay."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["eventlab.orders.subscriber", "eventlab.matrix.journal", "pandas"])


def main(servers: str, topic: str, url: str, journal: str) -> None:
    """Subscribe until SIGTERM; a static member, so that the next one need not wait for its end."""
    from eventlab.history import consumers
    from eventlab.matrix.journal import Journal
    from eventlab.orders.store import Store
    from eventlab.orders.subscriber import OrderSubscriber

    more = {"group_instance_id": "the-only-one", "max_poll_records": 20, "session_timeout_ms": 6000}
    with (
        Store(url) as store,
        OrderSubscriber(servers, topic, topic, store=store, **more) as subscriber,
    ):
        settings = consumers.settings(subscriber.consumer)
        told = Journal(Path(journal), Path(journal).stem, topic, **settings)
        consumers.record(subscriber.consumer, told)
        subscriber.run()


def start(*arguments: str):
    """Start it."""
    process = FORKS.Process(target=main, args=arguments, daemon=True)
    process.start()
    return process


def replay(servers: str, topic: str) -> None:
    """Replay dead letters, and die when all are sent and before the transaction is committed."""
    from kafka import KafkaProducer

    from eventlab.orders.subscriber import replay

    def dies(producer):
        producer.flush(10)
        os.kill(os.getpid(), signal.SIGKILL)

    KafkaProducer.commit_transaction = dies
    replay(servers, topic, dry_run=False)
