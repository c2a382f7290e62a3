"""The outbox: events that are written together with what they tell of, and sent afterwards.

    with store.transaction() as db:
        db.execute(orders.insert(), row)
        outbox.add(db, OrderCreated(...))         # both are kept, or none of them
    ...
    relay.Relay(store, publisher).run(stop)       # perhaps in another process

A program that writes to SQL and to Kafka may end between the two, whichever comes first, and then
one of them says what the other does not. Here there is one write. What was sent is sent again when
the relay ends before it could note so: subscribers drop an event whose id they have seen.
"""

from eventlab.orders.outbox.rows import add

__all__ = ["add"]
