"""The events that are on their way: how many may be, which have failed, when all are there."""

from __future__ import annotations

from collections import deque
from threading import Lock

from eventlab.orders.publisher.delivery import AGAIN, Delivery, named
from eventlab.orders.publisher.errors import KafkaAway, NotDelivered
from eventlab.waiting import Deadline

MOST = 50_000  # events on their way; kafka-python 3 has no buffer.memory that would stop a sender
_FIRST = 20  # events that have failed, kept to be told
_OFTEN = 1_000  # events after which those that are there are forgotten


class Pending:
    """The deliveries of one publisher that nobody has to think of any more once they are there."""

    def __init__(self) -> None:
        self._waiting: deque[Delivery] = deque()
        self._failed: list[Delivery] = []
        self._more = 0  # that have failed
        self._looking = Lock()
        self._next_look = _OFTEN

    def add(self, delivery: Delivery) -> None:
        """Watch what becomes of an event."""
        self._waiting.append(delivery)
        if len(self._waiting) >= self._next_look:
            self._look()

    def make_room(self, within: float) -> None:
        """Return when one more event may be on its way; KafkaAway when too many are for too long.

        It waits until half of them are there, and not for each.
        """
        if len(self._waiting) < MOST:
            return
        deadline, left = Deadline(within), self._look()
        for delivery in left[: MOST // 2] if len(left) >= MOST else ():
            if not delivery.settled(deadline.left):
                raise KafkaAway(
                    "Kafka has no room for more events.",
                    f"{MOST:,} wait for an acknowledgement, the first is {named(delivery.event)}.",
                    "Wait until it answers again; flush() tells when they are there.",
                )

    def settle(self, deadline: Deadline) -> None:
        """Return when all are there; NotDelivered, once, for those that failed or still wait."""
        for delivery in list(self._waiting):
            if not delivery.settled(deadline.left):
                break
        left = self._look()
        with self._looking:
            failed, more = [each for each in self._failed if not each._told], self._more
            self._failed, self._more = [], 0
        if failed or more or left:
            raise _not_delivered(failed, more, left)

    def _look(self) -> list[Delivery]:
        """Forget those that are there, keep in mind those that failed; return the others."""
        with self._looking:
            for _ in range(len(self._waiting)):  # others may add some meanwhile
                delivery = self._waiting.popleft()
                if not delivery.done:
                    self._waiting.append(delivery)
                elif delivery.failed:
                    self._note(delivery)
            left = list(self._waiting)
            self._next_look = max(_OFTEN, 2 * len(left))
        return left

    def _note(self, delivery: Delivery) -> None:
        self._failed = [each for each in self._failed if not each._told]
        if len(self._failed) < _FIRST:
            self._failed.append(delivery)
        else:
            self._more += 1


def _not_delivered(failed: list[Delivery], more: int, left: list[Delivery]) -> NotDelivered:
    number, first = len(failed) + more + len(left), [*failed, *left][:_FIRST]
    why = {type(each._future.exception).__name__ for each in failed}
    states = [f"{len(failed) + more} failed ({', '.join(sorted(why))})"] if failed else []
    states += [f"{len(left)} still on the way"] if left else []
    return NotDelivered(
        f"{number:,} event{'s are' if number > 1 else ' is'} not known to be in Kafka.",
        f"{' and '.join(states)}; the first is {named(first[0].event)}.",
        f"They are in .events, up to {_FIRST}. {AGAIN}",
        number,
        [each.event for each in first],
    )
