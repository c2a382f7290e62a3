"""Subscribing to events of the shop: from Kafka into a database, each event with one effect.

    store = Store("shop.db")
    with OrderSubscriber(cluster.bootstrap_servers, "billing", store=store) as subscriber:
        subscriber.run()                       # until Ctrl-C, SIGTERM or subscriber.stop()

The order of things is what makes it safe: the effect is committed in SQL, a dead letter is
acknowledged by Kafka, and only then the offset is committed. Whoever dies in between is given the
same records again, and the inbox drops what it has seen.

An event that cannot be handled goes to the dead-letter topic, `<topic>-dlt`, and those behind it go
on: what builds on it will follow it there. With `park=True` all later events of its key wait there
with it, so that a replay brings them in their order.

    letters = replay(cluster.bootstrap_servers, "orders-dlt")            # looks, and sends nothing
    replay(cluster.bootstrap_servers, "orders-dlt", dry_run=False)       # once
"""

from eventlab.orders.subscriber.replay import replay
from eventlab.orders.subscriber.subscriber import OrderSubscriber

__all__ = ["OrderSubscriber", "replay"]
