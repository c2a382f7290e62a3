"""Each fault breaks what it says on real brokers, and is mended whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import ExitStack

import psutil
import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError

from eventlab import Cluster, charts, faults, history, observe
from eventlab.cluster.topics import partition
from eventlab.errors import (
    ClusterNotRunning,
    FaultRefused,
    InvalidSetting,
    UnknownNode,
    UnknownTopic,
)
from eventlab.waiting import wait_until
from tests.live.clients import produce, read_all
from tests.unit.refusals import refused


@pytest.fixture
def broken(cluster):
    """Return a cluster that a test breaks; it must be whole before and after."""
    assert faults.mend(cluster) == 0
    wait_until(lambda: all(len(isr(cluster, t)) == 3 for t in topics(cluster)), 30, "ISR not full")
    yield cluster
    faults.mend(cluster)
    assert states(cluster) == {"running"}


@pytest.fixture
def orders(broken, request):
    """Return a topic of one partition with three replicas."""
    name = f"f-{abs(hash(request.node.name)) % 10**8}"
    broken.create_topic(name, partitions=1, min_insync_replicas=1)
    yield name
    faults.mend(broken)
    broken.delete_topic(name)


def topics(cluster) -> list[str]:
    """Return the learner's topics with three replicas."""
    frame = cluster.topics()
    return list(frame[frame["replication_factor"] == 3]["topic"])


def states(cluster) -> set[str]:
    """Return the states of the nodes."""
    return {node["state"] for node in cluster.status()["nodes"]}


def isr(cluster, topic: str) -> set[int]:
    """Return the in-sync replicas of partition 0, as a broker that is not cut off tells them."""
    return set(partition(cluster._admin, topic, 0).isr)


def leader(cluster, topic: str) -> int:
    """Return the leader of partition 0."""
    return partition(cluster._admin, topic, 0).leader


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (faults.broker_stopped, "stopped"),
        (faults.broker_killed, "killed"),
        (faults.broker_frozen, "frozen"),
    ],
)
def test_a_broker_is_broken_in_its_block_and_no_longer(broken, fault, state):
    """SIGTERM, SIGKILL, SIGSTOP reach the process that was asked for; the block's end mends."""
    pid = broken.brokers[2].pid
    seen = {}

    def block() -> None:
        with fault(broken, 2) as seen["fault"]:
            seen["state"] = broken.brokers[2].state
            assert psutil.pid_exists(pid) is (state == "frozen")
            assert seen["fault"].on
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()
    assert seen["state"] == state
    assert not seen["fault"].on
    assert broken.brokers[2].state == "running"


@pytest.mark.parametrize(
    "fault", [faults.leader_stopped, faults.leader_killed, faults.leader_frozen]
)
def test_a_leader_that_is_gone_is_replaced(broken, orders, fault):
    """The fault finds the broker that leads; another in-sync replica takes over."""
    old = leader(broken, orders)
    with fault(broken, orders) as on:
        assert f"broker {old}" in on.target
        wait_until(lambda: leader(broken, orders) not in (old, -1), 20, "No new leader.")
    wait_until(lambda: len(isr(broken, orders)) == 3, 30, "The old leader did not catch up.")


def test_an_isolated_leader_is_replaced_while_clients_still_reach_it(broken, orders):
    """The others elect a new one; the old one answers its clients as if nothing had happened."""
    old = leader(broken, orders)
    address = broken.brokers[old].address
    with KafkaProducer(
        bootstrap_servers=address, acks=1, enable_idempotence=False, metadata_max_age_ms=300_000
    ) as producer:
        producer.send(orders, b"before").get(10)
        with faults.leader_isolated(broken, orders):
            wait_until(lambda: leader(broken, orders) not in (old, -1), 20, "No new leader.")
            assert old not in isr(broken, orders)
            producer.send(orders, b"to the old leader").get(10)
    wait_until(lambda: len(isr(broken, orders)) == 3, 30, "It did not come back.")


def test_an_isolated_follower_leaves_the_isr_and_comes_back(broken, orders):
    """Fenced after the broker session timeout; in sync again when the link is mended."""
    follower = next(node for node in (1, 2, 3) if node != leader(broken, orders))
    with faults.broker_isolated(broken, follower):
        wait_until(lambda: follower not in isr(broken, orders), 20, "It stayed in sync.")
        produce(broken, orders, 10)
    wait_until(lambda: follower in isr(broken, orders), 30, "It did not come back.")
    assert read_all(broken, orders) == list(range(10))


def send_alone(cluster, topic):
    """Send a record that its leader alone acknowledges."""
    servers = cluster.bootstrap_servers
    with KafkaProducer(bootstrap_servers=servers, acks=1, enable_idempotence=False) as producer:
        producer.send(topic, b"").get(10)


def test_a_leader_cut_off_from_its_followers_alone_stays_leader(broken, orders):
    """The controller still hears it: no election, and the ISR shrinks to the leader.

    Not before there is something that the followers lack: who has everything is in sync, however
    long it has been silent (kafka.cluster.Replica.isCaughtUp).
    """
    old = leader(broken, orders)
    others = [node for node in (1, 2, 3) if node != old]
    with faults.partitioned(broken, [old], others):
        send_alone(broken, orders)
        wait_until(lambda: isr(broken, orders) == {old}, 30, "The ISR did not shrink.")
        assert leader(broken, orders) == old
    wait_until(lambda: len(isr(broken, orders)) == 3, 30, "They did not come back.")


@pytest.mark.parametrize("refused", [False, True])
def test_clients_cut_off_from_a_broker_reach_it_again(broken, orders, refused):
    """What is sent meanwhile waits or fails; the broker itself stays in the cluster."""
    cut = leader(broken, orders)
    with KafkaProducer(
        bootstrap_servers=broken.bootstrap_servers, request_timeout_ms=2000, max_block_ms=5000
    ) as producer:
        producer.send(orders, b"before").get(10)
        with faults.clients_cut(broken, cut, refused=refused):
            waiting = producer.send(orders, b"meanwhile")
            with pytest.raises(KafkaTimeoutError):
                waiting.get(1)
            assert len(isr(broken, orders)) == 3
        assert waiting.get(30).offset == 1


def test_a_slow_link_is_as_slow_as_asked_and_no_longer_than_asked(broken, orders):
    """100 ms a round trip are seen in every acknowledgement, and end with the fault."""
    with KafkaProducer(bootstrap_servers=broken.bootstrap_servers) as producer:
        producer.send(orders, b"0").get(10)

        def round_trip() -> float:
            begun = time.monotonic()
            producer.send(orders, b"1").get(10)
            return time.monotonic() - begun

        with faults.clients_slow(broken, latency=0.1):
            assert min(round_trip() for _ in range(5)) >= 0.1
        wait_until(lambda: round_trip() < 0.1, 10, "The link stayed slow.")


def test_a_link_of_a_rate_passes_no_more(broken, orders):
    """300 kB through 300 kB/s take a second at least."""
    with (
        KafkaProducer(bootstrap_servers=broken.bootstrap_servers, linger_ms=0) as producer,
        faults.clients_slow(broken, rate=300_000),
    ):
        begun = time.monotonic()
        for _ in range(300):
            producer.send(orders, os.urandom(1000))
        producer.flush(timeout=30)
        assert time.monotonic() - begun > 0.8


def test_reset_connections_are_taken_up_again(broken, orders):
    """A client sees its connections end and makes new ones; nothing is lost with acks=all."""
    with KafkaProducer(bootstrap_servers=broken.bootstrap_servers, retry_backoff_ms=50) as producer:
        for number in range(200):
            producer.send(orders, b"%d" % number)
            if number % 50 == 0:
                faults.connections_reset(broken, leader(broken, orders))
        producer.flush(timeout=30)
    assert read_all(broken, orders) == list(range(200))


def test_frozen_followers_do_not_stop_a_leader_of_one(broken, orders):
    """min.insync.replicas=1 and acks=1: the leader acknowledges what it alone has."""
    address = broken.brokers[leader(broken, orders)].address
    settings = {"acks": 1, "enable_idempotence": False}
    with KafkaProducer(bootstrap_servers=address, **settings) as producer:
        producer.send(orders, b"before").get(10)
        with faults.followers_frozen(broken, orders) as on:
            assert sorted(states(broken)) == ["frozen", "running"]
            assert producer.send(orders, b"meanwhile").get(5).offset == 1
    assert on.name == "followers frozen"


def test_the_controller_can_be_killed_and_frozen(broken):
    """Brokers go on without it; it is back when mended."""
    for fault in (faults.controller_killed, faults.controller_frozen):
        with fault(broken):
            assert broken.controller.state in ("killed", "frozen")
        assert broken.controller.state == "running"


def test_a_new_idempotent_producer_may_need_the_controller(broken, orders):
    """A restarted broker has no producer ids to give: they come from the controller (KIP-730).

    kafka-python lets no record expire while it waits for its id, whatever `delivery_timeout_ms`
    says; `close()` of such a producer ends when the controller is back.
    """
    faults.rolling_restart(broken)
    settings = {"bootstrap_servers": broken.bootstrap_servers, "reconnect_backoff_max_ms": 200}
    with ExitStack() as clients:
        with faults.controller_killed(broken):
            new = clients.enter_context(KafkaProducer(**settings, enable_idempotence=True))
            waiting = new.send(orders, b"no id")
            with KafkaProducer(**settings, enable_idempotence=False) as plain:
                assert plain.send(orders, b"none needed").get(20).offset >= 0
            assert not waiting.is_done
        assert waiting.get(30).offset >= 0


def test_the_active_controller_of_a_quorum_is_replaced(name):
    """With three combined nodes the others elect another, whose epoch is higher (KIP-595)."""
    with Cluster(name, topology="combined") as cluster:
        assert [node["role"] for node in cluster.status()["nodes"]] == ["broker+controller"] * 3
        old = cluster.controller.node_id
        with faults.controller_isolated(cluster):
            wait_until(lambda: cluster.controller.node_id != old, 30, "No new controller.")


def test_a_rolling_restart_restarts_every_broker(broken, orders):
    """Each is a new process, one after the other, and no acknowledged record is missing."""
    before = {node: broker.pid for node, broker in broken.brokers.items()}
    produce(broken, orders, 50)
    faults.rolling_restart(broken)
    after = {node: broker.pid for node, broker in broken.brokers.items()}
    assert not set(before.values()) & set(after.values())
    assert len(isr(broken, orders)) == 3
    assert read_all(broken, orders) == list(range(50))


def test_faults_are_remembered_with_their_times(broken):
    """A row for each, what was done with a broker's own verbs included; NaT while it is on."""
    broken.brokers[1].kill().start()
    with faults.broker_frozen(broken, 3):
        on = faults.frame(broken).iloc[-1]
        assert (on["fault"], on["target"], on["nodes"]) == ("broker frozen", "broker 3", (3,))
        assert on["end"] is not on["end"] or str(on["end"]) == "NaT"
    frame = faults.frame(broken)
    assert list(frame["fault"])[-2:] == ["broker killed", "broker frozen"]
    assert (frame["end"] >= frame["start"]).all()
    assert str(frame["start"].dtype) == "datetime64[ns, UTC]"


def test_a_fault_of_a_dead_owner_is_mended(name):
    """Item 78: a kernel that was killed leaves nothing broken behind."""
    code = (
        "import sys; from eventlab import Cluster, faults\n"
        "cluster = Cluster.start(sys.argv[1])\n"
        "faults.broker_frozen(cluster, 1); faults.broker_isolated(cluster, 2)\n"
        "print('broken', flush=True); sys.stdin.read()"
    )
    with Cluster(name) as cluster:
        command = [sys.executable, "-c", code, name]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout.readline() == "broken\n"
            assert cluster.brokers[1].state == "frozen"
            child.kill()
        wait_until(lambda: states(cluster) == {"running"}, 15, "It stayed frozen.")
        wait_until(lambda: faults.frame(cluster)["end"].notna().all(), 15, "A link stayed cut.")


def test_two_faults_on_one_node_end_with_the_last(broken):
    """A block within a block: the inner one's end does not mend the outer one."""
    with faults.broker_isolated(broken, 1):
        with faults.partitioned(broken, [1], [2]):
            pass
        node = next(n for n in broken.status()["nodes"] if n["node_id"] == 1)
        assert not node["reachable"]
    node = next(n for n in broken.status()["nodes"] if n["node_id"] == 1)
    assert node["reachable"]


def test_what_cannot_be_broken_is_refused(broken, orders):
    """Items 75, 76, 79: unknown, dead already, not ours; nothing is changed."""
    with refused(UnknownNode, 99):
        faults.broker_killed(broken, 99)
    with refused(UnknownNode, 7):
        faults.partitioned(broken, [1], [7])
    with refused(InvalidSetting, [1]):
        faults.partitioned(broken, [1], [1])
    with refused(UnknownTopic, orders[:-1], within=5):
        faults.leader_killed(broken, orders[:-1])
    with refused(InvalidSetting, 5, within=5):
        faults.leader_killed(broken, orders, partition=5)
    for slow in ({}, {"latency": -1}, {"rate": "fast"}, {"latency": float("nan")}):
        with refused(InvalidSetting):
            faults.clients_slow(broken, **slow)
    for nobody in (None, [], "1", True, 1.5):
        with refused(UnknownNode, nobody):
            faults.broker_killed(broken, nobody)
    for one, other in ((1, 2), ([], [1]), ("1", [2])):
        with refused(InvalidSetting):
            faults.partitioned(broken, one, other)
    with refused(InvalidSetting, [2]):
        faults.link_slow(broken, 2, 2, latency=0.1)
    with refused(InvalidSetting, "'0'", within=5):
        faults.leader_frozen(broken, orders, partition="0")
    for within in (0, -1, "60", None, float("nan")):
        with refused(InvalidSetting, within):
            faults.rolling_restart(broken, within=within)
    with refused(FaultRefused, "localhost:9092"):
        faults.broker_killed("localhost:9092", 1)
    with faults.broker_killed(broken, 1):
        with refused(FaultRefused, "killed"):
            faults.broker_killed(broken, 1)
        with refused(FaultRefused, "killed"):
            faults.broker_frozen(broken, 1)


def test_the_last_broker_can_be_killed_with_a_warning(name):
    """Item 75: it is allowed, and told."""
    with Cluster(name, profile="small") as cluster:
        with pytest.warns(UserWarning, match="No broker"), faults.broker_killed(cluster, 1):
            assert states(cluster) == {"killed"}
        assert states(cluster) == {"running"}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            faults.connections_reset(cluster, 1)
        for fault in (faults.broker_isolated, faults.controller_isolated):
            with refused(FaultRefused, "only one"):
                fault(*[cluster, 1][: 2 - (fault is faults.controller_isolated)])
        cluster.create_topic("alone", partitions=1)
        with refused(FaultRefused, "only replica", within=5):
            faults.followers_frozen(cluster, "alone")


def test_a_storm_is_repeated_by_its_seed(broken, orders, capsys):
    """The plan is a function of the seed, which is printed; acks=all loses nothing in it."""
    with faults.storm(broken, kinds=["broker killed", "clients cut off"]) as storm:
        acknowledged = [produce(broken, orders, 20, start=20 * n) for n in range(30)]
    assert f"seed={storm.seed})" in capsys.readouterr().out
    assert faults.storm(broken, storm.seed, kinds=["broker killed", "clients cut off"]).plan.equals(
        storm.plan
    )
    assert storm.errors == []
    assert states(broken) == {"running"}
    assert len(read_all(broken, orders)) == 20 * len(acknowledged)


def test_a_kind_of_fault_that_there_is_not_is_refused(broken):
    """The message lists those that there are; no plan of no end is made."""
    for kinds in (["earthquake"], [], "broker killed, but not in a list", 5, [None], [[]]):
        with refused(InvalidSetting, "broker killed, broker frozen"):
            faults.storm(broken, kinds=kinds)
    for seed in ("7", 7.5, True):
        with refused(InvalidSetting, "seed", seed):
            faults.storm(broken, seed)
    for seconds in (0, -1, float("inf"), float("nan"), "60", None):
        with refused(InvalidSetting, "seconds", seconds):
            faults.storm(broken, seconds=seconds)


def test_a_storm_without_a_block_goes_on_until_it_is_stopped(broken):
    """As a notebook has it: one cell starts it, another stops it, and what it broke is mended."""
    storm = faults.storm(broken, 7, kinds=["broker frozen"]).start()
    assert storm.start() is storm
    wait_until(lambda: "frozen" in states(broken), 30, "Nothing was broken.")
    storm.stop()
    storm.stop()
    assert states(broken) == {"running"}
    assert not [thread for thread in threading.enumerate() if thread.name == "eventlab-storm"]


def test_a_storm_ends_with_its_cluster(name):
    """Whoever stops the cluster has no thread left that looks for it."""
    with Cluster(name, profile="small") as cluster:
        storm = faults.storm(cluster, 7, kinds=["clients slow"]).start()
    wait_until(lambda: not storm._thread.is_alive(), 30, "The storm goes on.")
    storm.stop()
    assert [type(error) for error in storm.errors] == [ClusterNotRunning]


def test_an_interrupted_rolling_restart_leaves_no_broker_stopped(broken, orders):
    """The stop button while a broker is away: it is started all the same."""
    main = threading.main_thread().ident

    def press() -> None:
        wait_until(lambda: "stopped" in states(broken), 30, "Nothing was stopped.")
        signal.pthread_kill(main, signal.SIGINT)

    button = threading.Thread(target=press)
    button.start()
    with pytest.raises(KeyboardInterrupt):
        faults.rolling_restart(broken)
    button.join()
    wait_until(lambda: states(broken) == {"running"}, 30, "A broker stayed stopped.")


def test_faults_of_a_combined_topology_take_both_roles_along(name):
    """Killed, frozen and isolated by role, one within the other; a quorum of two goes on."""
    with Cluster(name, topology="combined") as cluster:
        cluster.create_topic("orders", partitions=1, min_insync_replicas=1)
        with faults.controller_frozen(cluster) as frozen:
            old = int(frozen.target.split()[1])
            assert cluster.brokers[old].state == "frozen"
            wait_until(lambda: cluster.controller.node_id != old, 30, "No new controller.")
            # Fenced it is in no metadata: a client that met it there might ask it, and wait.
            wait_until(lambda: old not in isr(cluster, "orders"), 30, "It stayed in sync.")
            wait_until(lambda: leader(cluster, "orders") not in (old, -1), 30, "No new leader.")
            new = cluster.controller.node_id
            with faults.clients_slow(cluster, new, latency=0.001):
                # The address of a frozen broker takes connections and gives no answer. Not
                # idempotent: a broker that asked the frozen controller for producer ids waits.
                address = cluster.brokers[new].address
                produce(address, "orders", 5, enable_idempotence=False)
        wait_until(lambda: len(isr(cluster, "orders")) == 3, 30, "It did not catch up.")
        with faults.leader_killed(cluster, "orders") as killed:
            dead = int(killed.target.split()[1].strip(","))
            wait_until(lambda: leader(cluster, "orders") not in (dead, -1), 30, "No new leader.")
            produce(cluster, "orders", 5, start=5)
        wait_until(lambda: len(isr(cluster, "orders")) == 3, 30, "It did not catch up.")
        with faults.broker_isolated(cluster, dead):
            wait_until(lambda: dead not in isr(cluster, "orders"), 30, "It stayed in sync.")
        wait_until(lambda: len(isr(cluster, "orders")) == 3, 30, "It did not catch up.")
        assert states(cluster) == {"running"}
        assert read_all(cluster, "orders") == list(range(10))


def test_faults_are_marked_on_charts_and_in_histories(broken, orders):
    """The frame of faults is what both take: shaded, named, and part of the evidence."""
    run = history.record(orders, broken)
    with observe.watch(broken, orders, every=0.2) as seen:
        with faults.leader_frozen(broken, orders) as fault:
            old = leader(broken, orders)
            seen.wait_until(lambda now: now.leader[0] not in (old, -1), within=30)
        seen.wait_until(lambda now: len(now.isr[0]) == 3, within=60)
    frame = faults.frame(broken).tail(1)
    text = charts.describe(charts.leadership(seen.frame(), faults=frame))
    assert "leader frozen" in text
    run.faults(frame)
    told = run.operations().query("f in ('fault', 'heal')")
    assert told["f"].tolist() == ["fault", "heal"]
    assert told["error"].tolist() == [f"leader frozen: {fault.target}"] * 2
