"""A program that writes to SQL and to Kafka, and is killed at a point in between.

python -m tests.live.outbox_child WAY POINT DATABASE SERVERS TOPIC
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from eventlab.orders import CustomerRegistered
from eventlab.orders.handlers import handle
from eventlab.orders.outbox import add
from eventlab.orders.outbox.relay import Relay
from eventlab.orders.publisher import OrderPublisher
from eventlab.orders.store import Store

EVENT = CustomerRegistered("C-1", "Ada", "GB")


class Steps:
    """A store and a publisher that kill their process when they come to a point."""

    def __init__(self, point: str, store: Store, publisher: OrderPublisher, topic: str) -> None:
        self.point, self.store, self.publisher, self.topic = point, store, publisher, topic

    def at(self, point: str) -> None:
        if point == self.point:
            os.kill(os.getpid(), signal.SIGKILL)

    def sql_first(self) -> None:
        """Commit, then publish."""
        with self.store.transaction() as db:
            handle(EVENT, db)
        self.at("between")
        self.publisher.publish(EVENT).get()

    def kafka_first(self) -> None:
        """Publish, then commit."""
        with self.store.transaction() as db:
            handle(EVENT, db)
            self.publisher.publish(EVENT).get()
            self.at("between")

    def outbox(self) -> None:
        """Commit both at once, and let a relay publish."""
        with self.store.transaction() as db:
            handle(EVENT, db)
            self.at("written")
            add(db, EVENT, self.topic)
            self.at("added")
        self.at("committed")
        self._watch()
        with Relay(self.store, self.publisher) as relay:
            relay.step()
            self.at("removed")

    def _watch(self) -> None:
        """Come to the points inside of a step of the relay."""
        publish = self.publisher.publish_encoded

        def watched(*args):
            self.at("to be sent")
            delivery = publish(*args)
            self.at("sent")
            delivery.get()
            self.at("acknowledged")
            return delivery

        self.publisher.publish_encoded = watched  # type: ignore[method-assign]


WAYS: dict[str, Callable[[Steps], None]] = {
    "sql first": Steps.sql_first,
    "kafka first": Steps.kafka_first,
    "outbox": Steps.outbox,
}


def main(way: str, point: str, database: str, servers: str, topic: str) -> None:
    with Store(database) as store, OrderPublisher(servers, topic) as publisher:
        WAYS[way](Steps(point, store, publisher, topic))


if __name__ == "__main__":
    main(*sys.argv[1:])
