"""An arrival: a record on its way to a handler, and what became of a batch of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eventlab.orders.events import Event


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record with the event in it, or with the error that says why there is none.

    `tries` are those that failed so far.
    """

    record: Any
    event: Event | None
    error: Exception | None = None
    tries: int = 0

    @property
    def line(self) -> tuple[str, int, bytes]:
        """Topic, partition and key: those of one line are handled one after the other."""
        return self.record.topic, self.record.partition, self.record.key or b""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch; what is in neither list is done.

    `dead` cannot be handled, each with its error; `waiting` is to be tried again, in its order.
    """

    dead: list[tuple[Arrival, Exception]] = field(default_factory=list)
    waiting: list[Arrival] = field(default_factory=list)
