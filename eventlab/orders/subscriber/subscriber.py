"""The subscriber: polls, lets a batch be handled, commits; and stays in its group meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from datetime import datetime
from typing import Any

from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    InconsistentGroupProtocolError,
    KafkaError,
    RebalanceInProgressError,
    RetriableError,
    UnknownMemberIdError,
)

from eventlab.errors import InvalidSetting, shown
from eventlab.orders import interrupts
from eventlab.orders.domain import Order
from eventlab.orders.events import Event
from eventlab.orders.handlers import HANDLERS
from eventlab.orders.inbox import Arrival, Taken
from eventlab.orders.store import Store
from eventlab.orders.subscriber import arguments, begin, connect
from eventlab.orders.subscriber.dead_letters import DeadLetters
from eventlab.orders.subscriber.pauses import Pauses, enough
from eventlab.orders.subscriber.progress import Progress, part_of
from eventlab.orders.subscriber.reading import Reading
from eventlab.orders.subscriber.worker import Worker
from eventlab.waiting import seconds

log = logging.getLogger(__name__)

_RESET = "earliest"  # when a committed offset is gone: rather again, which is noticed, than never
_POLL = 0.2  # seconds: how late a wish to end may be heard
_COMMIT = 5.0
_PASSING: tuple[type[KafkaError], ...] = (
    *(RetriableError, CommitFailedError, RebalanceInProgressError),
    *(IllegalGenerationError, UnknownMemberIdError),
)


class OrderSubscriber:
    """A member of a consumer group that handles events of the shop.

    With a `store` each event has its effect there once, by the package's handlers, or by `handler`:
    one function (event, db) for all events, or a registry of them by type; what is not in it is
    skipped. Without a store a handler is called as (event), and may be called again for an event.
    `topics` is a name or a list, or `pattern` a regular expression. `types` and `where(event)` say
    which events are wanted. `start` is where a group without commits begins: "earliest", "latest"
    or a time. What fails is tried `tries` times, after `backoff` seconds and then twice as long up
    to 5 s; by itself for longer than a dead member keeps its partitions. A DomainError is not.
    Dead letters go to `<topic>-dlt`; `park` sends those behind them there too. `timer(db)` is
    called in each transaction. `find_order(order_id)` returns the Order of an event of version 0,
    which does not say what was ordered. Other settings are KafkaConsumer's.

    InvalidSetting, UnknownTopic, KafkaAway: nothing was opened. `consumer` is the KafkaConsumer;
    `done` and `dead` count the records that are behind it.
    """

    def __init__(
        self,
        bootstrap_servers: str | Sequence[str],
        group_id: str,
        topics: str | Sequence[str] = "orders",
        *,
        pattern: str | None = None,
        store: Store | None = None,
        handler: Callable[..., Any] | Mapping[type[Event], Callable[..., Any]] | None = None,
        types: Sequence[type[Event]] | None = None,
        where: Callable[[Event], object] | None = None,
        start: str | datetime = "earliest",
        tries: int | None = None,
        backoff: float = 0.2,
        park: bool = False,
        timer: Callable[[Any], object] | None = None,
        find_order: Callable[[str], Order | None] | None = None,
        **settings: Any,
    ) -> None:
        self.group_id = arguments.group(group_id)
        names, expression = arguments.topics(topics, pattern)
        given = HANDLERS if handler is None and store else handler
        handlers = arguments.handlers(given, 2 if store else 1)
        kinds, wanted = arguments.types(types), arguments.predicate(where)
        self._reading = Reading(handlers, kinds, wanted, find_order)
        self._start = arguments.start(start)
        self._pauses = Pauses(seconds("backoff", backoff))
        config = arguments.settings(settings)
        if tries is None:
            tries = enough(backoff, config["session_timeout_ms"] / 1000)
        more: dict[str, Any] = {"tries": arguments.tries(tries), "park": park, "timer": timer}
        self._worker = Worker(self.group_id, self._reading, store, handlers, **more)
        self.consumer, address = connect.consumer(
            bootstrap_servers, names, group_id=self.group_id, auto_offset_reset=_RESET, **config
        )
        self._progress = Progress(self.consumer)
        connect.subscribe(self.consumer, names, expression, self._progress)
        self._worker.begin(DeadLetters(address, self.group_id), self._progress.wants)
        self._waiting: list[Arrival] = []
        self._late: list[Any] = []  # records that came while others were handled
        self.done = self.dead = 0
        self._stopping = threading.Event()
        self._patience = min(1.0, self.consumer.config["max_poll_interval_ms"] / 4_000)
        self._closed = False

    def run(self, stop: Callable[[], object] = lambda: False) -> None:
        """Handle events until `stop()` is true, or somebody calls `self.stop()`.

        In the main thread Ctrl-C and SIGTERM do so too; the batch that is being handled is
        finished and committed, and a second signal does what it always does.
        """
        with interrupts.heard(self.stop):
            while not (self._stopping.is_set() or stop()):
                self._round()
        self._stopping.clear()

    def stop(self) -> None:
        """End `run` after the batch that is being handled; any thread may call it."""
        self._stopping.set()

    def ready(self) -> bool:
        """Say whether it is a member of its group, and Kafka has answered it lately."""
        return connect.belongs(self.consumer)

    def close(self) -> None:
        """Commit what is done, leave the group, end all threads and connections."""
        if self._closed:
            return
        self._closed = True
        self._worker.close()
        self._commit()
        connect.close(self.consumer)

    def __enter__(self) -> OrderSubscriber:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        parts = ", ".join(f"{topic}-{number}" for topic, number in sorted(self._progress.owned))
        return f"<OrderSubscriber {self.group_id} · {parts or 'no partitions'}>"

    def _round(self) -> None:
        """Poll, handle what came and what is due, commit."""
        records = self._poll(_POLL)
        self._waiting = list(filter(self._progress.keeps, self._waiting))
        if not (records or self._waiting):
            self._progress.idle()
        waits = self._pauses.last(self._waiting)
        new = [record for record in records if (record[0], record[1]) not in waits]
        again = [arrival for arrival in self._waiting if part_of(arrival) not in waits]
        if new or again:
            taken = self._handled(again, new)
            self.dead += len(taken.dead)
            self.done += len(again) + len(new) - len(taken.dead) - len(taken.waiting)
            self._pauses.begin(taken.waiting, self._worker.away)
            kept = [arrival for arrival in self._waiting if part_of(arrival) in waits]
            self._waiting = list(filter(self._progress.keeps, [*kept, *taken.waiting]))
        self._waiting += self._reading.arrivals(r for r in records if (r[0], r[1]) in waits)
        self._progress.note([*(arrival.record for arrival in self._waiting), *self._late])
        self._flow()
        self._commit()

    def _poll(self, timeout: float) -> list[Any]:
        """Return what came; what passes by itself, as a broker that is away, is waited out."""
        records, self._late = self._late, []
        try:
            polled = connect.poll(self.consumer, 0.0 if records else timeout)
        except _PASSING as error:
            log.info("%s polls in vain: %s", self.group_id, error)
            self._stopping.wait(timeout)
            return records
        except InconsistentGroupProtocolError:
            ours = self.consumer.config["partition_assignment_strategy"]
            raise InvalidSetting(
                f"Group {shown(self.group_id)} shares out its partitions in another way.",
                f"Its members know none of {', '.join(each.name for each in ours)}.",
                "Use a group of your own, or the partition_assignment_strategy of theirs.",
            ) from None
        elsewhere = self._begin(polled)
        for part, found in polled.items():
            if part not in elsewhere:
                self._progress.read(part, found[-1].offset)
                records += found
        return records

    def _begin(self, polled: Mapping[Any, Any]) -> set[Any]:
        """Begin new partitions where it was asked for; return those that are not read."""
        new = self._progress.new & self._progress.owned
        if not new or self._start == _RESET:
            return set()
        try:
            began = begin.at(self.consumer, new, self._start)
        except _PASSING as error:  # another time; what came of them is read again then
            log.info("%s cannot begin at %s yet: %s", self.group_id, self._start, error)
            for part in new & polled.keys():
                self.consumer.seek(part, polled[part][0].offset)
            return new
        self._progress.new -= new
        return began

    def _handled(self, again: Sequence[Arrival], records: Sequence[Any]) -> Taken:
        """Let a batch be handled; while that takes long, stay in the group and take no more."""
        future = self._worker.submit(again, records)
        while not wait([future], timeout=self._patience).done:
            self.consumer.pause(*self.consumer.assignment())
            self._late = self._poll(_POLL)
        return future.result()

    def _flow(self) -> None:
        """Read no further where something waits: what comes behind it would have to wait too."""
        waits = {part_of(arrival) for arrival in self._waiting} & self.consumer.assignment()
        paused = self.consumer.paused()
        self.consumer.pause(*waits - paused)
        self.consumer.resume(*paused - waits)

    def _commit(self) -> None:
        try:
            self._progress.commit(_COMMIT)
        except KafkaError as error:  # others have the partitions, or Kafka is away: it is known
            log.info("%s could not commit: %s", self.group_id, error)
