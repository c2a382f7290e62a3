"""Things break while orders flow: none is lost, none is there twice, and the lag drains.

AWAY=20 breaks each thing for 20 seconds, and KILLS=200 kills an API so often; see `flowing`.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sqlite3
import threading
import time
from contextlib import ExitStack, contextmanager
from decimal import Decimal

import pytest
from kafka import KafkaProducer
from sqlalchemy import select

from eventlab import faults
from eventlab.orders import CustomerRegistered, ProductListed
from eventlab.orders.handlers import handle
from eventlab.orders.store import Store, database, schema
from eventlab.waiting import wait_until
from tests import postgres
from tests.live.callers import Api, Callers
from tests.live.flowing import AWAY, flowing, hold
from tests.live.poison import BAD

KILLS = int(os.environ.get("KILLS", "3"))
SEED = int(os.environ.get("SEED", "0")) or random.randrange(1, 10**6)

log = logging.getLogger(__name__)


def test_the_leader_is_killed(cluster, topic, url):
    """Relay and subscribers find the next one; the first comes back in the midst of it."""
    with flowing(cluster, topic, url) as shop, shop.busy(), faults.leader_killed(cluster, topic):
        hold(AWAY)


@pytest.mark.filterwarnings("ignore:No broker will be left")
def test_kafka_is_away(cluster, topic, url):
    """No broker answers; orders are taken into the outbox meanwhile."""
    with flowing(cluster, topic, url) as shop, shop.busy(), ExitStack() as frozen:
        for node_id in cluster.brokers:
            frozen.enter_context(faults.broker_frozen(cluster, node_id))
        before = len(shop.added)
        hold(AWAY)
        assert len(shop.added) > before


@contextmanager
def away(url):
    """Let a database not answer: PostgreSQL has crashed, SQLite is locked by somebody else."""
    if url.startswith("postgresql"):
        with postgres.stopped(url):
            yield
        return
    locks = sqlite3.connect(url, isolation_level=None)
    locks.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        locks.close()


def test_the_database_is_away(cluster, topic, url, monkeypatch):
    """Members pause and stay in their group; who does not know whether it was kept asks again."""
    if not url.startswith("postgresql"):
        monkeypatch.setattr(database, "PATIENCE", min(5.0, AWAY / 4))
    with flowing(cluster, topic, url) as shop, shop.busy():
        generations = [each.consumer.group_metadata().generation_id for each in shop.members]
        with away(url):
            hold(AWAY)
            paused = lambda: all(each.consumer.paused() for each in shop.members)  # noqa: E731
            wait_until(paused, 20, "The members do not pause.")
        assert generations == [e.consumer.group_metadata().generation_id for e in shop.members]


def test_members_come_and_go(cluster, topic, url):
    """Two more join and leave all the time, at once or when they have partitions."""
    over = threading.Event()

    def comes_and_goes(seed):
        dice = random.Random(seed)
        while not over.is_set():
            with shop.member() as member:
                patience = time.monotonic() + dice.uniform(0, 2)
                leaves = lambda: time.monotonic() > patience or member.consumer.assignment()  # noqa: E731, B023
                wait_until(leaves, 30, "Time stands still.")

    with flowing(cluster, topic, url) as shop, shop.busy():
        threads = [threading.Thread(target=comes_and_goes, args=(seed,)) for seed in range(2)]
        for thread in threads:
            thread.start()
        hold(AWAY)
        over.set()
        for thread in threads:
            thread.join(60)


def test_poison_among_good_events(cluster, topic, url):
    """Each is a dead letter, once; all others have their effect."""
    with flowing(cluster, topic, url, dead=len(BAD)) as shop, shop.busy():
        config = {"compression_type": "gzip", "max_request_size": 1 << 28}
        with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, **config) as producer:
            shop.run.producer(producer)
            for value in BAD.values():
                producer.send(topic, value, b"O-1").get(timeout=30)


def wait_to_kill(dice, callers):
    """Return at some point: while it starts, or when it has accepted a few more."""
    moment = time.monotonic() + (dice.uniform(0, 2) if dice.random() < 0.3 else 60)
    enough = len(callers.accepted) + dice.randrange(1, 40)
    late = lambda: time.monotonic() > moment  # noqa: E731
    wait_until(lambda: late() or len(callers.accepted) >= enough, 50, "Nothing is accepted.")
    soon = time.monotonic() + dice.uniform(0, 0.02)
    wait_until(lambda: time.monotonic() > soon, 10, "Time stands still.", every=0.001)


@pytest.fixture
def orders(cluster):
    """The topic of the command line."""
    cluster.create_topic("orders", partitions=3, fresh=True)
    yield "orders"
    cluster.delete_topic("orders")


def test_an_api_is_killed(cluster, orders, url):
    """Whoever got no answer asks again with the same key: one order, in SQL and in Kafka."""
    dice = random.Random(SEED)
    with Store(url) as store, store.transaction() as db:
        handle(CustomerRegistered("C-1", "Ada", "DE"), db)
        handle(ProductListed("CUP", "A cup", "kitchen", Decimal("5.00")), db)
    with flowing(cluster, orders, url) as shop, Api(cluster.bootstrap_servers, url) as api:
        with Callers(api) as callers:
            for _ in range(KILLS):
                api.start()
                wait_to_kill(dice, callers)
                assert api.end(signal.SIGKILL) == -signal.SIGKILL, f"SEED={SEED}"
            api.start()
        assert api.end(signal.SIGTERM) == 0
        shop.mended, shop.count = time.monotonic(), len(callers.accepted)
        log.info("%d kills, %d asked, %d accepted", KILLS, callers.asked, shop.count)
    with Store(url) as store:
        there = store.read(select(schema.orders.c.order_id)).order_id
    assert sorted(there) == sorted(callers.accepted.values()), f"SEED={SEED}"
