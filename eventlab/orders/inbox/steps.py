"""The events of a batch, one after the other: each is done, dead, or waits for another try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from eventlab.orders.errors import DomainError
from eventlab.orders.inbox.deliveries import Delivery, Taken

HOPELESS = (DomainError, IntegrityError, DataError)  # another try would end as this one did


class Steps:
    """What becomes of the events of a batch.

    An event that waits holds back those of its line, which build on it.
    """

    def __init__(self, tries: int) -> None:
        self.taken = Taken()
        self.done: list[Delivery] = []
        self._tries = tries
        self._held: set[Any] = set()

    def take(self, delivery: Delivery, act: Callable[[], object]) -> None:
        """Do what an event asks for, once; note what became of it.

        An error of the connection is not the event's: it goes through.
        """
        if delivery.line in self._held:
            self.taken.waiting.append(delivery)
            return
        try:
            act()
        except DBAPIError as error:
            if not isinstance(error, HOPELESS):
                raise
            self._failed(delivery, error)
        except Exception as error:
            self._failed(delivery, error)
        else:
            self.done.append(delivery)

    def _failed(self, delivery: Delivery, error: Exception) -> None:
        if isinstance(error, HOPELESS) or delivery.tries + 1 >= self._tries:
            self.taken.dead.append((delivery, error))
        else:
            self.taken.waiting.append(replace(delivery, tries=delivery.tries + 1))
            self._held.add(delivery.line)
