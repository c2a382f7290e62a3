"""Brokers that are stopped, killed or frozen while one looks: what is known comes in time."""

from __future__ import annotations

import signal
import threading
import time
import warnings
from contextlib import closing

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from eventlab import environment, faults, observe
from eventlab.errors import NeverHappened
from eventlab.observe import messages
from eventlab.observe.client import Client
from eventlab.waiting import Deadline, wait_until
from tests.live.clients import nothing_kept_open, produce
from tests.unit.refusals import refused

# Seconds, with one broker frozen: a guard against hanging, not a benchmark. Left to itself, the
# client waits 30 seconds for an answer.
A_LOOK = 10.0


@pytest.fixture(autouse=True)
def _all_is_well_before_and_after(cluster):
    """Whatever a test did is undone, and nothing stays open."""
    with nothing_kept_open(cluster):
        yield
        for node in [cluster.controller, *cluster.brokers.values()]:
            node.thaw().start()
        wait_until(lambda: in_sync(cluster), 60, "The brokers are not in sync again.")


def in_sync(cluster) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        brokers, topics = observe.brokers(cluster), observe.topics(cluster)
    whole = brokers["answered"].all() and not brokers["fenced"].any()
    return len(brokers) == 3 and whole and not topics["under_replicated"].any()


def looked(look, *args):
    """Return a table, how long it took, and what was warned of."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        begun = time.monotonic()
        table = look(*args)
        seconds = time.monotonic() - begun
    return table, seconds, [str(each.message) for each in said if each.category is UserWarning]


@pytest.mark.parametrize("verb", ["kill", "freeze"])
def test_what_the_others_know_is_known(cluster, topic, verb):
    """The partitions of the one that is away have no offsets, and it is named; all others do."""
    produce(cluster, topic, 30)
    before = observe.partitions(cluster, topic)
    away = before["leader"][0]
    getattr(cluster.brokers[away], verb)()
    frame, seconds, said = looked(observe.partitions, cluster, topic)
    assert seconds < A_LOOK
    assert len(said) == 1
    assert said[0].startswith(f"Broker {away} did not answer (Kafka")
    unknown = frame["leader"] == away
    assert unknown.tolist() == (before["leader"] == away).tolist()
    columns = ["log_start_offset", "log_end_offset", "size_bytes"]
    assert frame[columns].isna().all(axis=1).tolist() == unknown.tolist()
    assert frame[~unknown].equals(before[~unknown])


def test_an_interrupted_look_leaves_nothing_open(cluster, topic):
    """Item 84: the stop button, while a frozen broker is waited for; the fixture counts sockets."""
    cluster.brokers[observe.partitions(cluster, topic)["leader"][0]].freeze()
    main = threading.main_thread().ident
    stop_button = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
    stop_button.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        observe.partitions(cluster, topic)
    assert time.monotonic() - begun < 0.9
    stop_button.join()


def test_a_broker_that_is_silent_is_waited_for_once(cluster, topic):
    """Frozen, it costs the first look a second; until it answers that, it is asked nothing."""
    with observe.watch(cluster, topic, every=0.1) as seen:
        cluster.brokers[seen.now["leader"][0]].freeze()
        begun = time.monotonic()
        seen.wait_until(lambda now: now.log_end_offset.isna().any(), within=3)
        before = seen.frame()["time"].nunique()
        seen.wait_until(lambda now: time.monotonic() - begun > 2.2, within=3)
        assert seen.frame()["time"].nunique() - before >= 6


@pytest.mark.parametrize("verb", ["stop", "kill", "freeze"])
def test_a_failover_is_seen_from_beginning_to_end(cluster, topic, verb):
    """A watch sees the new leader with a higher epoch, a short ISR, and the ISR whole again."""
    produce(cluster, topic, 30)
    old = observe.partitions(cluster, topic)["leader"][0]
    with observe.watch(cluster, topic, every=0.1) as seen:
        getattr(cluster.brokers[old], verb)()
        after = seen.wait_until(lambda now: now.leader[0] not in (-1, old), within=20)
        assert after["leader_epoch"][0] >= 1
        seen.wait_until(lambda now: now.isr.map(len).eq(2).all(), within=20)
        seen.wait_until(lambda now: now.log_end_offset.sum() == 30, within=20)
        cluster.brokers[old].thaw().start()
        seen.wait_until(lambda now: now.isr.map(len).eq(3).all(), within=30)
    history = seen.frame().query("partition == 0")
    assert history["leader_epoch"].is_monotonic_increasing
    assert history["time"].diff().dt.total_seconds().max() < A_LOOK
    known = history["log_end_offset"].dropna()
    assert (known == known.iloc[0]).all()


@pytest.mark.parametrize("verb", ["stop", "kill", "freeze"])
def test_a_group_is_never_said_to_be_none_while_its_coordinator_moves(cluster, topic, verb):
    """It is asked for again until somebody knows: UnknownGroup would be a lie."""
    group = f"of-{topic}"
    produce(cluster, topic, 9)
    with KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers, group_id=group) as consumer:
        consumer.assign([TopicPartition(topic, number) for number in range(3)])
        offset = OffsetAndMetadata(1, "", -1)
        consumer.commit(dict.fromkeys(consumer.assignment(), offset))
    old = int(observe.groups(cluster).set_index("group_id")["coordinator"][group])
    getattr(cluster.brokers[old], verb)()
    deadline, looks = Deadline(6), 0
    while deadline.left:
        frame, seconds, _ = looked(observe.lag, cluster, group)
        looks += 1
        assert seconds < 7
        assert list(frame["current_offset"]) == [1, 1, 1]
    assert looks > 5
    assert observe.groups(cluster).set_index("group_id")["coordinator"][group] != old


def test_a_broker_that_was_away_when_the_others_were_met_is_met_as_soon_as_it_is_asked(cluster):
    """A client that met the brokers while one was fenced asks that one when it leads again."""
    with observe.watch(cluster, observe.brokers, every=0.1) as seen:
        cluster.brokers[2].kill()
        seen.wait_until(lambda now: now.fenced[1], within=20)
        with closing(Client(cluster)) as client:
            assert set(client.everyone(list)) == {1, 3}
            cluster.brokers[2].start()
            seen.wait_until(lambda now: now.answered.all() and not now.fenced.any(), within=30)
            answered = lambda: client.ask({2: [messages.cluster()]})  # noqa: E731
            wait_until(answered, 10, lambda: f"It was not asked: {client.unknown}")


def test_an_isolated_broker_is_told_of_by_the_others(cluster, topic):
    """Clients reach it still, and it says that it leads and all is well; the others know better."""
    produce(cluster, topic, 30)
    cut = int(observe.partitions(cluster, topic)["leader"][0])
    parts = observe.watch(cluster, topic, every=0.1)
    with parts, observe.watch(cluster, observe.brokers, every=0.1) as nodes:
        with faults.broker_isolated(cluster, cut):
            fenced = nodes.wait_until(lambda now: now.fenced[cut - 1], within=30)
            assert fenced["fenced"].tolist() == [node == cut for node in (1, 2, 3)]
            alone = nodes.wait_until(lambda now: now.in_sync[cut - 1] == 0, within=20)
            assert alone["leaders"][cut - 1] == 0
            parts.wait_until(lambda now: not any(cut in isr for isr in now.isr), within=20)
            parts.wait_until(lambda now: now.log_end_offset.sum() == 30, within=20)
            for _ in range(5):
                now = parts.wait_until(lambda now: True)
                assert cut not in {*now["leader"], *now["isr"].explode()}
                assert now["log_end_offset"].sum() == 30
                assert nodes.wait_until(lambda now: True)["fenced"][cut - 1]
            frame, seconds, said = looked(observe.partitions, cluster, topic)
            assert (said, frame["leader"].tolist()) == ([], now["leader"].tolist())
            assert seconds < A_LOOK * environment.patience()
        nodes.wait_until(lambda now: not now.fenced.any(), within=30)
        parts.wait_until(lambda now: now.isr.map(len).eq(3).all(), within=30)
    assert (
        nodes.frame().query("node_id == @cut and fenced")["answered"].any()
    )  # as clients reach it
    history = parts.frame().query("partition == 0")
    assert history["leader_epoch"].is_monotonic_increasing
    assert history["time"].diff().dt.total_seconds().max() < A_LOOK * environment.patience()


def test_a_broker_that_is_away_is_shown_as_it_is(cluster):
    """First silent, then fenced by the controller, then back."""
    with observe.watch(cluster, observe.brokers, every=0.1) as seen:
        cluster.brokers[2].kill()
        silent = seen.wait_until(lambda now: not now.answered[1], within=5)
        assert silent["node_id"][1] == 2
        assert silent["size_bytes"].isna().tolist() == [False, True, False]
        fenced = seen.wait_until(lambda now: now.fenced[1], within=20)
        assert fenced["leaders"][1] == 0
        assert fenced["fenced"].tolist() == [False, True, False]
        cluster.brokers[2].start()
        seen.wait_until(lambda now: now.answered.all() and not now.fenced.any(), within=30)


@pytest.mark.parametrize("verb", ["kill", "freeze"])
def test_without_a_controller_the_quorum_is_a_typed_error_and_the_rest_is_known(
    cluster, topic, verb
):
    """Brokers go on serving what they know; only the controller knows of the quorum."""
    produce(cluster, topic, 3)
    before = observe.quorum(cluster)["leader_epoch"].max()
    getattr(cluster.controller, verb)()
    with refused(NeverHappened, "No controller answered", within=9):
        observe.quorum(cluster)
    frame, seconds, said = looked(observe.partitions, cluster, topic)
    assert seconds < A_LOOK
    assert said == []
    assert frame["log_end_offset"].sum() == 3
    cluster.controller.thaw().start()
    with observe.watch(cluster, observe.brokers, every=0.1) as seen:
        seen.wait_until(lambda now: not now.fenced.any(), within=30)
    assert observe.quorum(cluster)["leader_epoch"].max() >= before


def test_replicas_that_may_lead_are_told_when_too_few_are_in_sync(cluster):
    """KIP-966: below min.insync.replicas a replica that left in sync is eligible to lead."""
    cluster.create_topic("elr", partitions=1, min_insync_replicas=3, fresh=True)
    followers = observe.partitions(cluster, "elr")["replicas"][0][1:]
    with observe.watch(cluster, "elr", every=0.1) as seen:
        cluster.brokers[followers[0]].stop()
        now = seen.wait_until(lambda now: len(now.isr[0]) == 2, within=20)
        assert now["elr"][0] == (followers[0],)
        topics = observe.topics(cluster).set_index("topic").loc["elr"]
        assert (topics["under_replicated"], topics["under_min_isr"], topics["offline"]) == (1, 1, 0)
        cluster.brokers[followers[0]].start()
        now = seen.wait_until(lambda now: len(now.isr[0]) == 3, within=30)
        assert now["elr"][0] == ()
    cluster.delete_topic("elr")


def test_a_partition_without_a_leader_is_shown_without_one(cluster):
    """Its only replica is away: leader -1, and offsets that nobody can tell."""
    cluster.create_topic("lone", partitions=3, replication_factor=1, fresh=True)
    produce(cluster, "lone", 9)
    away = observe.partitions(cluster, "lone")["leader"][1]
    with observe.watch(cluster, "lone", every=0.1) as seen:
        cluster.brokers[away].kill()
        now = seen.wait_until(lambda now: now.leader[1] == -1, within=20)
    row = now.loc[1]
    assert (row["replicas"], row["isr"], row["elr"]) == ((away,), (), (away,))
    assert now["log_end_offset"].isna().tolist() == [False, True, False]
    assert observe.topics(cluster).set_index("topic").loc["lone", "offline"] == 1
    cluster.brokers[away].start()
    cluster.delete_topic("lone")
