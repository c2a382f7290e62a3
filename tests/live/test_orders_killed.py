"""SIGKILL at any point of a subscriber's life: every effect exactly once, judged with SQL (I10).

KILLS=200 kills it so often; a few are enough to see that it works at all.
"""

from __future__ import annotations

import os
import random
import time

import pandas as pd
import pytest
from sqlalchemy import select

from eventlab import history
from eventlab.matrix import journal
from eventlab.orders.store import Store
from eventlab.orders.store.schema import processed_events
from eventlab.orders.subscriber import replay
from eventlab.waiting import wait_until
from tests.live import killed
from tests.live.subscribed import assert_told, committed, handled, publish, running, story
from tests.unit.orders.databases import postgresql, url  # noqa: F401 (fixtures)
from tests.unit.orders.inbox.arrivals import CUSTOMER, created, paid

KILLS = int(os.environ.get("KILLS", "5"))
SEED = int(os.environ.get("SEED", "0")) or random.randrange(1, 10**6)


def wait_to_kill(chosen, store):
    """Return at some point: while it begins, or when it has handled a few more."""
    moment = time.monotonic() + (chosen.uniform(0, 1.5) if chosen.random() < 0.3 else 60)
    enough = handled(store) + chosen.randrange(1, 60)
    late = lambda: time.monotonic() > moment  # noqa: E731
    wait_until(lambda: late() or handled(store) >= enough, 50, lambda: f"{handled(store)} only.")
    soon = time.monotonic() + chosen.uniform(0, 0.02)
    wait_until(lambda: time.monotonic() > soon, 10, "Time stands still.", every=0.001)


def test_every_effect_is_there_once_however_often_it_is_killed(cluster, topic, url, tmp_path):  # noqa: F811
    """In a transaction, before and after a commit, while it joins: the next one goes on."""
    chosen, run = random.Random(SEED), history.record(topic, cluster)
    events = story(30 * KILLS)
    publish(cluster, topic, events, run=run)
    kills = []
    with Store(url) as store:
        for number in range(KILLS):
            life = begin(cluster, topic, url, tmp_path, number)
            wait_to_kill(chosen, store)
            assert life.is_alive(), f"it ended by itself, SEED={SEED}"
            kills.append((pd.Timestamp.now("UTC"), pd.NaT, "killed", f"life-{number:03}"))
            life.kill()
            life.join(10)
        assert handled(store) < len(events)
        last = begin(cluster, topic, url, tmp_path, KILLS)
        done = lambda: handled(store) >= len(events) or dead_letters(cluster, topic)  # noqa: E731
        wait_until(done, 120, lambda: f"{handled(store)} of {len(events)}, SEED={SEED}.", every=0.2)
        assert dead_letters(cluster, topic) == [], f"SEED={SEED}"
        last.terminate()
        last.join(20)
        assert last.exitcode == 0
        assert_told(store, events)
        table = processed_events.c
        effects = store.read(select(table.topic, table.partition, table.offset))
    for path in sorted(tmp_path.glob("life-*.jsonl")):
        journal.replay(path, run)
    run.faults(pd.DataFrame(kills, columns=["start", "end", "fault", "target"]))
    # A static member comes back in the generation that it had (KIP-345): two names, one member.
    verdict = run.verify(effects=effects, allow=["two owners"])
    assert verdict.valid, f"SEED={SEED} {verdict}"
    assert sum(committed(cluster, topic, topic).values()) == len(events)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_what_a_killed_member_has_to_read_first_is_waited_for(cluster, topic, url, tmp_path):  # noqa: F811
    """The group gives its partitions to others when its session is over: no order is given up.

    However short the pauses are: by themselves the tries are as many as that takes.
    """
    with Store(url) as store, running(cluster, topic, topic, store=store, backoff=0.05) as member:
        life = begin(cluster, topic, url, tmp_path, 0)
        mine = member.consumer.assignment
        wait_until(lambda: 0 < len(mine()) < 3, 30, lambda: f"{mine()} are not shared.")
        life.kill()
        life.join(10)
        ours = {part.partition for part in mine()}
        publish(cluster, topic, [CUSTOMER], partition=min({0, 1, 2} - ours))
        publish(cluster, topic, [created(), paid()], partition=min(ours))
        done = lambda: handled(store) == 3 or dead_letters(cluster, topic)  # noqa: E731
        wait_until(done, 60, lambda: f"{handled(store)} of 3.", every=0.2)
        assert dead_letters(cluster, topic) == []


def dead_letters(cluster, topic):
    """Return what could not be handled, and why: there should be nothing."""
    if f"{topic}-dlt" not in set(cluster.topics().topic):
        return []
    found = replay(cluster.bootstrap_servers, f"{topic}-dlt")
    return list(found[["original_partition", "original_offset", "message"]].itertuples())[:10]


def begin(cluster, topic, url, folder, number):  # noqa: F811
    """Start a subscriber."""
    path = folder / f"life-{number:03}.jsonl"
    return killed.start(cluster.bootstrap_servers, topic, str(url), str(path))
