"""The events of a batch, one after the other: each is done, dead, or waits for another try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import DataError, IntegrityError

from eventlab.orders.errors import DomainError
from eventlab.orders.inbox.arrivals import Arrival, Taken
from eventlab.orders.store.errors import StoreAway, StoreMismatch

REFUSED = (IntegrityError, DataError)  # by the tables
HOPELESS = (DomainError, *REFUSED)  # another try would end as this one did


class Steps:
    """What becomes of the events of a batch.

    An event that waits holds back those of its line, which build on it.
    """

    def __init__(self, tries: int) -> None:
        self.taken = Taken()
        self.done: list[Arrival] = []
        self._tries = tries
        self._held: set[Any] = set()

    def take(self, arrival: Arrival, act: Callable[[], object]) -> bool:
        """Do what an event asks for, once, and note what became of it; say whether it is dead.

        An error of the database itself is not the event's: it goes through.
        """
        if self.holds(arrival):
            return False
        try:
            act()
        except (StoreAway, StoreMismatch):
            raise
        except Exception as error:
            return self.failed(arrival, error)
        self.done.append(arrival)
        return False

    def holds(self, arrival: Arrival) -> bool:
        """Say whether an event of its line waits; then this one waits too."""
        held = bool(self._held) and arrival.line in self._held
        if held:
            self.taken.waiting.append(arrival)
        return held

    def hold(self, arrival: Arrival) -> None:
        """Let an event wait, and its line behind it."""
        self.taken.waiting.append(arrival)
        self._held.add(arrival.line)

    def failed(self, arrival: Arrival, error: Exception) -> bool:
        """Let an event that failed wait for another try; say whether it is dead instead."""
        dead = isinstance(error, HOPELESS) or arrival.tries + 1 >= self._tries
        if dead:
            self.taken.dead.append((arrival, error))
        else:
            self.hold(replace(arrival, tries=arrival.tries + 1))
        return dead
