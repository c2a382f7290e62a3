"""How long what failed waits for its next try: twice as long each time, up to 5 s."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate, count, takewhile

from kafka import TopicPartition

from eventlab.orders.inbox import Arrival
from eventlab.orders.subscriber.progress import part_of

LONGEST = 5.0  # seconds between two tries
_MORE = 15.0  # seconds for the group to share out what it had, or for a partition without a leader


def pause(backoff: float, failed: int) -> float:
    """Return how many seconds follow so many failed tries."""
    return min(backoff * 2.0 ** min(failed - 1, 60), LONGEST)


def enough(backoff: float, session_timeout: float) -> int:
    """Return how many tries outlast a member that died.

    What an event waits for may be in a partition of it: the group gives that to another one when
    the session timeout is over, and not before (https://kafka.apache.org/documentation/).
    """
    totals = accumulate(pause(backoff, failed) for failed in count(1))
    return 2 + sum(1 for _ in takewhile(lambda total: total < session_timeout + _MORE, totals))


class Pauses:
    """When the partitions in which something waits are due again."""

    def __init__(self, backoff: float) -> None:
        self._backoff = backoff
        self._due: dict[TopicPartition, float] = {}

    def begin(self, waiting: Iterable[Arrival], away: int) -> None:
        """Let the partitions of what failed just now wait, or, with the database away, of all."""
        failed: dict[TopicPartition, int] = defaultdict(int)
        for arrival in waiting:
            part = part_of(arrival)
            failed[part] = max(failed[part], away or arrival.tries, 1)
        now = time.monotonic()
        self._due.update((part, now + pause(self._backoff, n)) for part, n in failed.items())

    def last(self, waiting: Iterable[Arrival]) -> set[TopicPartition]:
        """Return the partitions of what waits that are not due yet."""
        now = time.monotonic()
        return {part for part in map(part_of, waiting) if now < self._due.get(part, 0.0)}
