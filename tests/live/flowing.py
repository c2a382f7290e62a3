"""A shop at work: orders through the outbox and Kafka to two subscribers, judged when it ends.

    with flowing(cluster, topic, url) as shop, shop.busy():
        with faults.leader_killed(cluster, topic, 0):
            hold(AWAY)
    # all of it is in the tables, and the history is valid

The parts are those of the package: outbox, Relay with an OrderPublisher, two OrderSubscribers.
AWAY=20 breaks things for so many seconds.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import ExitStack, contextmanager

import pandas as pd
from sqlalchemy import func, select

from eventlab import faults, history, observe
from eventlab.errors import UnknownTopic
from eventlab.orders import CustomerRegistered, OrderCreated, background, outbox, sample_events
from eventlab.orders.outbox.relay import Relay
from eventlab.orders.publisher import OrderPublisher
from eventlab.orders.store import Store, schema
from eventlab.orders.store.errors import StoreAway
from eventlab.orders.subscriber import replay
from eventlab.orders.web import requests
from eventlab.waiting import wait_until
from tests.live.subscribed import assert_told, committed, handled, running

AWAY = float(os.environ.get("AWAY", "2"))  # seconds

log = logging.getLogger(__name__)


def hold(seconds):
    """Return after so many seconds."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until, seconds + 10, "Time stands still.")


class Flow:
    """A topic, its tables, those who move events between them, and what they did."""

    def __init__(self, cluster, topic, store):
        self.cluster, self.topic, self.store = cluster, topic, store
        self.run = history.record(topic, cluster)
        self.added, self.members = [], []
        self.count = 0  # of the events that have to be there
        self.since = pd.Timestamp.now("UTC")
        self.mended = time.monotonic()

    @contextmanager
    def working(self):
        """Let a relay and two members be at work."""
        servers = self.cluster.bootstrap_servers
        with ExitStack() as ends:
            publisher = ends.enter_context(OrderPublisher(servers, self.topic))
            self.run.producer(publisher.producer)
            ends.enter_context(background.running(Relay(self.store, publisher).run))
            self.members = [ends.enter_context(self.member()) for _ in range(2)]
            yield

    def member(self):
        """One more member of the group."""
        few = {"store": self.store, "max_poll_records": 50}
        return running(self.cluster, self.topic, self.topic, run=self.run, **few)

    @contextmanager
    def busy(self):
        """Let a customer order after the other; the block begins and ends in the midst of it."""
        shared = lambda: all(each.consumer.assignment() for each in self.members)  # noqa: E731
        with background.running(self._sell, within=30):
            wait_until(shared, 30, "The members do not share the topic.")
            self._wait_for_more(50)
            yield
            self.mended = time.monotonic()
            self._wait_for_more(50)
        self.count = len(self.added)

    def _wait_for_more(self, count):
        enough = handled(self.store) + count
        done = lambda: handled(self.store) >= enough  # noqa: E731
        wait_until(done, 60, lambda: f"{handled(self.store)} of {enough}.", every=0.1)

    def _sell(self, stop):
        known = set()
        for event in sample_events(1_000):
            if isinstance(event, OrderCreated) and event.customer_id not in known:
                known.add(event.customer_id)
                self._add(CustomerRegistered(event.customer_id, "Ada", "GB", time=event.time))
            self._add(event)
            if stop.wait(0.005):
                return
        raise AssertionError("Nobody wants anything any more.")

    def _add(self, event):
        """Add an event as a client does who does not hear that it is there: again, with its key."""
        added = lambda: self._added(event)  # noqa: E731
        wait_until(added, AWAY + 30, "The database does not come back.", every=0.05)
        self.added.append(event)

    def _added(self, event):
        try:
            with self.store.transaction() as db:
                if requests.find(db, event.event_id, "") is None:
                    requests.keep(db, event.event_id, "", event, sent=True)
                    outbox.add(db, event, self.topic)
        except StoreAway:
            return False
        return True

    def drain(self):
        """Return when nothing waits in the outbox or in Kafka."""
        done = lambda: not (waiting(self.store) or self._behind().any())  # noqa: E731
        said = lambda: f"{waiting(self.store)} wait, {list(self._behind())} behind."  # noqa: E731
        wait_until(done, 60, said, every=0.1)
        return time.monotonic() - self.mended

    def _behind(self):
        """How many records of each partition are before the group.

        Where nothing was committed all of them are; where nothing was written, none: nobody
        commits a position in a partition that is empty, and few orders may leave one so.
        """
        now = observe.lag(self.cluster, self.topic)
        return now["lag"].fillna(now["log_end_offset"])

    def judge(self, dead):
        """Each record has one effect (I10), or is a dead letter; and all that was sent is there."""
        broken = faults.frame(self.cluster)
        self.run.faults(broken[broken.start >= self.since])
        table = schema.processed_events.c
        effects = self.store.read(select(table.topic, table.partition, table.offset))
        letters = self.letters()
        verdict = self.run.verify(effects=pd.concat([effects, letters], ignore_index=True))
        lost = verdict.count("lost") + verdict.count("effect missing")
        doubled = verdict.count("duplicate") + verdict.count("effect doubled")
        log.info("%s; lost %d, doubled %d, dead %d", verdict, lost, doubled, len(letters))
        assert len(letters) == dead, letters
        assert (verdict.valid, lost, doubled) == (True, 0, 0), verdict
        assert len(effects) == self.count
        assert sum(committed(self.cluster, self.topic, self.topic).values()) == len(effects) + dead

    def letters(self):
        """Return the places of the records that are dead letters."""
        try:
            found = replay(self.cluster.bootstrap_servers, f"{self.topic}-dlt")
        except UnknownTopic:
            found = pd.DataFrame(
                columns=["original_topic", "original_partition", "original_offset"]
            )
        for letter in found.itertuples():
            log.info("dead: %s %s", letter.exception, letter.message)
        places = found[["original_topic", "original_partition", "original_offset"]]
        return places.set_axis(["topic", "partition", "offset"], axis=1)


def waiting(store):
    """Return how many events are in the outbox."""
    with store.reading() as db:
        return db.scalar(select(func.count()).select_from(schema.outbox))


@contextmanager
def flowing(cluster, topic, url, dead=0):
    """Let a shop be at work in the block; then all has to be where it belongs, once."""
    with Store(url) as store:
        flow = Flow(cluster, topic, store)
        try:
            with flow.working():
                yield flow
                seconds = flow.drain()
            log.info("%s: lag 0 %.1f s after the block", topic, seconds)
            flow.judge(dead)
            assert_told(store, flow.added)
        finally:
            if f"{topic}-dlt" in set(cluster.topics().topic):
                cluster.delete_topic(f"{topic}-dlt")
