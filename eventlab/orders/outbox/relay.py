"""The relay: it moves events from the outbox to Kafka, in their order, at least once.

    with OrderPublisher(cluster.bootstrap_servers) as publisher:
        Relay(store, publisher).run(stop)         # until stop.set(), in another thread

It passes on the bytes that are there, and need not know their types: another version of the shop
may have written them. An event is not sent before the one before it of its key is acknowledged, so
none can overtake it, whatever fails. A relay that is killed between an acknowledgement and its note
leaves the event in the outbox: the next one sends it again, and subscribers drop it by its id.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from threading import Event as Flag

from eventlab.errors import EventlabError
from eventlab.orders.outbox import rows
from eventlab.orders.outbox.rows import Waiting
from eventlab.orders.publisher import Delivery, OrderPublisher, PublisherClosed
from eventlab.orders.store import Store
from eventlab.orders.store.turn import Turn
from eventlab.waiting import Deadline

BATCH = 500
_ANSWERS = 5.0  # seconds for the acknowledgements of a wave
_LOOKS = 0.05  # seconds between two looks at an outbox that was empty
_STANDBY = 0.5  # seconds between two tries to have one's turn
_BACKOFF = (0.1, 5.0)  # seconds after a failure: the first time, and at most

log = logging.getLogger(__name__)


class Relay:
    """The relay of a store; it is its turn while no other relay of this store is at work.

    Its publisher is one of any topic: each event goes to the topic that it was added for. An event
    that Kafka refuses for good (its topic is gone) stays, and those behind it wait; that is logged
    as long as it lasts.
    """

    def __init__(self, store: Store, publisher: OrderPublisher) -> None:
        self._turn, self._publisher = Turn(store, "relay"), publisher
        self._sent: dict[int, Delivery] = {}  # by position, until they are removed

    @property
    def active(self) -> bool:
        """Whether it is this relay's turn; others wait."""
        return self._turn.held

    def step(self) -> int:
        """Move up to 500 events; return how many were moved, 0 while it is another's turn.

        Any of the errors of a publisher and a store says what stood in the way; nothing is lost,
        and the next step begins where this one ended.
        """
        if not self._turn.take():
            return 0
        with self._turn.transaction() as db:
            waiting = rows.first(db, BATCH)
        self._forget_others(waiting)
        there: list[int] = []
        try:
            for wave in waves(waiting):
                self._move(wave, there)
        finally:
            self._remove(there)
        return len(there)

    def run(self, stop: Flag) -> None:
        """Move events until `stop` is set; wait, and say so, while Kafka or the database is away.

        It returns a few seconds after `stop` is set, and then it is another relay's turn.
        """
        first, most = _BACKOFF
        pause = first
        try:
            while not stop.is_set():
                try:
                    moved = self.step()
                except PublisherClosed:
                    raise
                except EventlabError as error:
                    log.warning("The outbox waits for %.1f s: %s", pause, error)
                    stop.wait(pause)
                    pause = min(2 * pause, most)
                    continue
                pause = first
                if moved < BATCH:
                    stop.wait(_LOOKS if self.active else _STANDBY)
        finally:
            self.close()

    def close(self) -> None:
        """Let another relay have its turn; the publisher stays open."""
        self._turn.give_up()

    def _move(self, wave: Sequence[Waiting], there: list[int]) -> None:
        """Send a wave, note what is there; raise for what is not."""
        deliveries = [(each.position, self._delivery(each)) for each in wave]
        deadline, error = Deadline(_ANSWERS), None
        for position, delivery in deliveries:
            try:
                delivery.get(timeout=max(deadline.left, 0.001))
                there.append(position)
            except EventlabError as why:
                error = error or why
        if error is not None:
            raise error

    def _delivery(self, each: Waiting) -> Delivery:
        """Return the delivery of an event; it is not sent again while the first is on its way."""
        delivery = self._sent.get(each.position)
        if delivery is None or delivery.failed:
            delivery = self._publisher.publish_encoded(None, each.record, each.topic)
            self._sent[each.position] = delivery
        return delivery

    def _remove(self, there: Sequence[int]) -> None:
        if there:
            with self._turn.transaction() as db:
                rows.remove(db, there)
        for position in there:
            del self._sent[position]

    def _forget_others(self, waiting: Sequence[Waiting]) -> None:
        """Forget what another relay has removed, while it was its turn."""
        still = {each.position for each in waiting}
        self._sent = {place: each for place, each in self._sent.items() if place in still}

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def waves(waiting: Sequence[Waiting]) -> list[list[Waiting]]:
    """Return events in waves: the first of each key, the second of each, and so on."""
    seen: Counter[tuple[str, bytes]] = Counter()
    found: list[list[Waiting]] = []
    for each in waiting:
        key = each.topic, each.record.key
        if seen[key] == len(found):
            found.append([])
        found[seen[key]].append(each)
        seen[key] += 1
    return found
