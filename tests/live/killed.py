"""A subscriber in a process of its own, to be killed; it is what a program of a user would be."""

from __future__ import annotations

import multiprocessing
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
