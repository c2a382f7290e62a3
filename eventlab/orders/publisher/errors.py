"""What can go wrong between an event and Kafka.

`KafkaAway` and `PublisherClosed` say that nothing was sent. `NotDelivered` cannot: the answer is
missing, the record may be in the log. Publishing it again is safe, since its id stays the same
and subscribers drop an id that they have seen.
"""

from __future__ import annotations

from collections.abc import Sequence

from eventlab.errors import EventlabError
from eventlab.orders.cloudevents import Encoded
from eventlab.orders.events import Event


class KafkaAway(EventlabError):
    """No broker answers, or none has room for more; nothing was sent."""


class PublisherClosed(EventlabError):
    """The publisher was closed, or belongs to another process; nothing was sent."""


class EventTooLarge(EventlabError):
    """A record is larger than the producer or its topic takes."""


class NotDelivered(EventlabError):
    """Kafka has not acknowledged events: how many is `number`, the first of them are `events`."""

    def __init__(
        self,
        what: str,
        seen: str,
        fix: str,
        number: int = 1,
        events: Sequence[Event | Encoded] = (),
    ) -> None:
        super().__init__(what, seen, fix)
        self.number = number
        self.events = tuple(events)
