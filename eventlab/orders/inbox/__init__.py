"""The inbox: a batch of events becomes effects in SQL in one transaction, each exactly once.

    inbox = Inbox(store, "billing")
    taken = inbox.take([Arrival(record, decode(record)) for record in records])
    taken.dead, taken.waiting           # what cannot be handled, and what to try again

Delivery is at least once, so an event may come again: its id goes into `processed_events` in the
transaction of its effect, and one that is there already has no effect a second time. An event that
fails leaves nothing behind and takes nothing with it: its changes are undone, those of the others
stay. Nothing here knows Kafka; a record is anything with topic, partition, offset, key and value.
"""

from eventlab.orders.inbox.arrivals import Arrival, Taken
from eventlab.orders.inbox.errors import KeyParked
from eventlab.orders.inbox.inbox import Inbox
from eventlab.orders.inbox.parking import discard

__all__ = ["Arrival", "Inbox", "KeyParked", "Taken", "discard"]
