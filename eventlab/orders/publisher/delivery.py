"""What became of one event: where it is in Kafka, or why it is not known to be there."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

from kafka.errors import (
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnknownTopicOrPartitionError,
)

from eventlab.errors import EventlabError, UnknownTopic
from eventlab.orders.cloudevents import Encoded
from eventlab.orders.events import Event
from eventlab.orders.publisher.errors import EventTooLarge, NotDelivered
from eventlab.waiting import Deadline, seconds

AGAIN = "Publish it again with the same id: subscribers drop what they have seen."


class Place(NamedTuple):
    """Where an event is: for good, since Kafka never moves a record."""

    topic: str
    partition: int
    offset: int


class Delivery:
    """An event on its way to Kafka, or there.

        delivery = publisher.publish(event)
        delivery.get(timeout=10)                  # Place(topic='orders', partition=1, offset=4711)

    `event` is the event, or its record where a relay has not decoded it; `topic` is where it goes.
    """

    __slots__ = ("_future", "_told", "event", "topic")

    def __init__(self, event: Event | Encoded, topic: str, future: Any) -> None:
        self.event = event
        self.topic = topic
        self._future = future
        self._told = False  # that it failed

    @property
    def done(self) -> bool:
        """Whether it is known what became of it, good or bad."""
        return bool(self._future.is_done)

    @property
    def failed(self) -> bool:
        """Whether it will never be acknowledged; `get` tells why."""
        return self.done and self._future.exception is not None

    def get(self, timeout: float = 30.0) -> Place:
        """Return the place of the event once all replicas in sync have it.

        NotDelivered when that is not known after so many seconds, or will never be; UnknownTopic
        when its topic was deleted meanwhile; EventTooLarge when the topic takes no such record.
        """
        if not self.settled(Deadline(seconds("timeout", timeout)).left):
            raise NotDelivered(
                f"{named(self.event)} is not acknowledged yet.",
                f"It was awaited for {timeout:.3g} s, and is still on its way to {self.topic!r}.",
                f"Wait for longer, or see why Kafka does not answer. {AGAIN}",
                events=[self.event],
            )
        error = self._error()
        if error is not None:
            self._told = True
            raise error
        told = self._future.value
        return Place(told.topic, told.partition, told.offset)

    def settled(self, within: float) -> bool:
        """Wait up to so many seconds; say whether it is known what became of the event."""
        if not self._future.is_done:
            with contextlib.suppress(Exception):  # it failed, or the time is over
                self._future.get(within)
        return self.done

    def _error(self) -> EventlabError | None:
        """Return why the event, which is settled, was not delivered."""
        error = self._future.exception
        if error is None:
            return None
        if isinstance(error, UnknownTopicOrPartitionError | InvalidTopicError):
            what, fix = f"Topic {self.topic!r} does not exist any more.", "Create it again."
            return UnknownTopic(what, f"{named(self.event)} was on its way to it.", fix)
        if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
            return too_large(self.event, self.topic, sum(self._future.args[3:]))
        return NotDelivered(
            f"{named(self.event)} was not acknowledged.",
            f"Kafka's client says {type(error).__name__}: {_short(error)}.",
            AGAIN,
            events=[self.event],
        )

    def __repr__(self) -> str:
        error, told = self._future.exception, self._future.value
        state = "on its way" if told is None else f"partition {told.partition} · {told.offset}"
        state = state if error is None else f"failed: {type(error).__name__}"
        return f"<Delivery {named(self.event)} · {self.topic} · {state}>"


def too_large(
    event: Event | Encoded, topic: str, size: int, most: int | None = None
) -> EventTooLarge:
    """Return that a record has more bytes than it may have."""
    limit = "more than max.message.bytes of the topic" if most is None else f"more than {most:,}"
    return EventTooLarge(
        f"{named(event)} is too large for topic {topic!r}.",
        f"Its record has {size:,} bytes, {limit}.",
        "Send less, or an id where the rest can be had.",
    )


def named(event: Event | Encoded) -> str:
    """Return an event as messages name it."""
    if isinstance(event, Encoded):
        return f"The event of {event.key.decode('utf-8', 'replace')}"
    return f"{type(event).__name__} of {event.key}"


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()).removeprefix(f"{type(error).__name__}: ").rstrip(".")
    return text[:200] or "nothing more"
