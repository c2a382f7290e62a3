"""One contract for every backend: the same verbs, words and faults mean the same."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from eventlab import Cluster, faults, history, observe
from eventlab.cluster import backends, composed, engine
from eventlab.errors import FaultRefused
from eventlab.waiting import wait_until
from tests.conftest import PREFIX, nothing_left
from tests.containers.leftovers import leftovers
from tests.live.clients import produce, read_all
from tests.unit.refusals import refused

CONTAINERS = ("compose", "testcontainers")


@pytest.fixture(scope="module", params=["embedded", *CONTAINERS])
def cluster(request):
    """Return a cluster of each backend in turn; what it leaves fails its last test."""
    if request.param in CONTAINERS:
        request.getfixturevalue("kafka_image")
    name = f"{PREFIX}-c-{request.param}"
    with Cluster(name, backend=request.param) as cluster:
        yield cluster
    assert nothing_left(name)
    assert leftovers(name) == []


@pytest.fixture
def orders(cluster, request):
    """Return a topic of one partition with three replicas, of which one is enough for a write."""
    name = f"c-{abs(hash(request.node.name)) % 10**8}"
    cluster.create_topic(name, partitions=1, min_insync_replicas=1)
    # The ISR of a new topic is a promise: a follower that still awaits an answer of this leader,
    # lost in an earlier fault, does so for 30 s (request.timeout.ms), and is out of sync after 5.
    produce(cluster, name, 1)
    await_whole(cluster, name)
    cluster.admin.delete_records({TopicPartition(name, 0): 1})
    yield name
    faults.mend(cluster)
    await_whole(cluster, name)
    cluster.delete_topic(name)


def await_whole(cluster, topic) -> None:
    """Return when every replica is in sync."""
    with observe.watch(cluster, topic, every=0.1) as seen:
        seen.wait_until(lambda now: now.isr.map(len).eq(3).all(), within=60)


def without(cluster, node_id) -> str:
    """Return the addresses of the other brokers: a client waits long for one that is silent."""
    return ",".join(b.address for n, b in cluster.brokers.items() if n != node_id)


def leads(cluster, topic) -> int:
    """Return who leads a topic's only partition, while some broker may be silent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return int(observe.partitions(cluster, topic)["leader"][0])


def addresses(cluster) -> dict[str, str]:
    """Return where containers find each other; nothing for processes.

    A follower that came back under the address of a leader that had died was looked for elsewhere:
    it was out of sync for half a minute, or fetched from the wrong broker, and then no more.
    """
    if cluster.backend == "embedded":
        return {}
    with contextlib.closing(engine.client()) as client:
        [network] = client.networks.list(names=[f"{composed.project(cluster.name)}_back"])
        network.reload()
        return {each["Name"]: each["IPv4Address"] for each in network.attrs["Containers"].values()}


def states(cluster) -> dict[int, str]:
    """Return the state of each node."""
    return {node["node_id"]: node["state"] for node in cluster.status()["nodes"]}


def test_it_is_three_brokers_and_a_controller(cluster, orders):
    """The same ids, roles and words everywhere; who asks again gets the same cluster."""
    assert list(cluster.brokers) == [1, 2, 3]
    assert (cluster.controller.node_id, cluster.controller.role) == (100, "controller")
    assert set(states(cluster).values()) == {"running"}
    same = Cluster.start(cluster.name)
    assert same.backend == cluster.backend
    assert same.bootstrap_servers == cluster.bootstrap_servers
    assert all(node.pid for node in (cluster.controller, *cluster.brokers.values()))
    assert list(observe.brokers(cluster)["address"]) == cluster.bootstrap_servers.split(",")
    assert len(observe.quorum(cluster)) >= 1
    produce(cluster, orders, 30)
    assert read_all(cluster, orders) == list(range(30))
    for told in cluster.admin.describe_log_dirs([orders]):
        file = f"{told['log_dirs'][0]['log_dir']}/{orders}-0/{0:020}.log"
        assert b"29" in cluster.brokers[told["broker"]].read(file)
    with pytest.raises(FileNotFoundError):
        cluster.brokers[1].read("/no/such/file")


def test_it_has_the_timings_and_topics_of_a_lab(cluster):
    """A typo makes no topic, and internal topics survive a broker, whatever runs it."""
    asked = ConfigResource(ConfigResourceType.BROKER, "1")
    told = cluster.admin.describe_configs([asked], config_filter="all")["broker"]["1"]
    assert told["auto.create.topics.enable"]["value"] == "false"
    assert told["broker.session.timeout.ms"]["value"] == "3000"
    assert told["offsets.topic.replication.factor"]["value"] == "3"
    assert told["transaction.state.log.min.isr"]["value"] == "2"


def test_verbs_do_what_they_say(cluster):
    """Frozen, thawed, killed, stopped, started: the state says so, and a broker comes back."""
    broker = cluster.brokers[2]
    pid = broker.pid
    assert broker.freeze().state == "frozen"
    assert broker.pid == pid
    assert broker.thaw().state == "running"
    assert broker.kill().state == "killed"
    assert broker.pid is None
    assert broker.start().state == "running"
    assert broker.stop().state == "stopped"
    assert broker.start().state == "running"
    assert broker.pid != pid
    assert "KafkaServer" in broker.log(5000) or "BrokerServer" in broker.log(5000)
    told = faults.frame(cluster).tail(3)["fault"].tolist()
    assert told == ["broker frozen", "broker killed", "broker stopped"]


@pytest.mark.parametrize("fault", [faults.leader_killed, faults.leader_frozen])
def test_a_leader_that_is_away_is_replaced(cluster, orders, fault):
    """Another one leads with a higher epoch, nothing acknowledged is lost, the ISR is whole."""
    produce(cluster, orders, 20)
    before = observe.partitions(cluster, orders).iloc[0]
    with observe.watch(cluster, orders, every=0.1) as seen, fault(cluster, orders):
        after = seen.wait_until(lambda now: now.leader[0] not in (-1, before.leader), within=20)
        assert after["leader_epoch"][0] > before.leader_epoch
        produce(without(cluster, before.leader), orders, 20, start=20)
    await_whole(cluster, orders)
    assert read_all(cluster, orders) == list(range(40))


def test_an_isolated_leader_goes_on_to_serve_and_loses(cluster, orders):
    """Clients still reach it and acks=1 is acknowledged; what it alone has is gone when mended."""
    produce(cluster, orders, 10)
    run = history.record("isolated")
    producer = run.producer(
        KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, acks=1, enable_idempotence=False)
    )
    with producer:
        leader = leads(cluster, orders)
        producer.partitions_for(orders)
        with (
            observe.watch(cluster, orders, every=0.1) as seen,
            faults.leader_isolated(cluster, orders),
        ):
            assert {n["node_id"] for n in cluster.status()["nodes"] if not n["reachable"]} == {
                leader
            }
            for number in range(20):
                producer.send(orders, b"%d" % number).get(timeout=20)
            seen.wait_until(lambda now: now.leader[0] not in (-1, leader), within=20)
        await_whole(cluster, orders)
    verdict = run.verify()
    assert verdict.outcome == "invalid"
    assert verdict.count("lost") == 20


def test_clients_that_are_cut_off_stop_nothing_between_brokers(cluster, orders):
    """The broker stays leader and in sync; only whoever asks it from outside hears nothing."""
    leader = observe.partitions(cluster, orders)["leader"][0]
    with faults.clients_cut(cluster, leader):
        with pytest.warns(UserWarning, match=f"Broker {leader} did not answer"):
            observe.partitions(cluster, orders)
        producer = KafkaProducer(
            bootstrap_servers=without(cluster, leader),
            acks=1,
            enable_idempotence=False,
            delivery_timeout_ms=4_000,
            request_timeout_ms=2_000,
            max_block_ms=2_000,
        )
        with contextlib.closing(producer), pytest.raises(KafkaError):
            producer.send(orders, b"1").get(timeout=5)
        with pytest.warns(UserWarning, match=f"Broker {leader} did not answer"):
            told = observe.partitions(cluster, orders).iloc[0]
        assert (told.leader, len(told.isr)) == (leader, 3)
    produce(cluster, orders, 10)


def test_frozen_followers_have_nothing_of_what_is_written_meanwhile(cluster, orders):
    """acks=1, followers frozen, leader killed: exactly what was written meanwhile is lost."""
    run, servers, before = history.record("loss"), cluster.bootstrap_servers, addresses(cluster)
    with KafkaProducer(bootstrap_servers=servers, acks="all") as safe:
        recorded = run.producer(safe)
        for number in range(20):
            recorded.send(orders, b"%d" % number)
        recorded.flush()
    hasty = KafkaProducer(bootstrap_servers=servers, acks=1, enable_idempotence=False)
    with run.producer(hasty):
        hasty.partitions_for(orders)
        leader = leads(cluster, orders)
        with faults.followers_frozen(cluster, orders) as followers:
            # In less than the broker session timeout, or the leader alone would be in sync.
            sent = [hasty.send(orders, b"%d" % number) for number in range(20, 70)]
            assert all(future.get(timeout=20) for future in sent)
            cluster.brokers[leader].kill()
            followers.mend()
            with observe.watch(cluster, orders, every=0.1) as seen:
                seen.wait_until(lambda now: now.leader[0] not in (-1, leader), within=30)
    cluster.brokers[leader].start()
    await_whole(cluster, orders)
    assert run.verify().count("lost") == 50
    assert addresses(cluster) == before


def test_what_cannot_be_done_here_is_said_and_nothing_is_broken(cluster, orders):
    """`cluster.can` tells beforehand; the refusal names the backend and the one that can."""
    assert {backends.KILL, backends.FREEZE, backends.ISOLATE} <= cluster.can
    verbs = {
        backends.SLOW_LINKS: lambda: faults.link_slow(cluster, 1, 2, latency=0.1),
        backends.CUT_LINKS: lambda: faults.partitioned(cluster, [1], [2]),
        backends.SLOW_CLIENTS: lambda: faults.clients_slow(cluster, latency=0.1),
    }
    for word, verb in verbs.items():
        if word in cluster.can:
            with verb() or contextlib.nullcontext():
                pass
        else:
            with refused(FaultRefused, cluster.backend, "embedded"):
                verb()
    assert not any(faults.frame(cluster)["end"].isna())


def test_a_storm_is_made_of_what_can_be_done(cluster):
    """The plan of a seed has no fault that would be refused here."""
    planned = set(faults.storm(cluster, seed=3).plan["fault"])
    assert len(planned) >= 5
    assert ("clients slow" in planned) == (backends.SLOW_CLIENTS in cluster.can)


OWNER = """
import sys
from eventlab import Cluster
cluster = Cluster.start(sys.argv[1], backend=sys.argv[2])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("backend", CONTAINERS)
def test_a_killed_owner_leaves_nothing(kafka_image, backend):
    """SIGKILL of the process that started it: no container, network, volume or process is left."""
    name = f"{PREFIX}-k-{backend[:4]}"
    child = subprocess.Popen(
        [sys.executable, "-c", OWNER, name, backend],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    with child:
        assert child.stdout.readline() == b"ready\n"
        assert len(leftovers(name)) >= 6  # four containers, two networks
        child.send_signal(signal.SIGKILL)
    wait_until(lambda: nothing_left(name) and not leftovers(name), 40, lambda: f"{leftovers(name)}")


@pytest.mark.parametrize("backend", CONTAINERS)
def test_a_killed_supervisor_is_swept_up_after(kafka_image, backend):
    """SIGKILL of whoever looks after it: `eventlab down` removes what is left of it."""
    name = f"{PREFIX}-s-{backend[:4]}"
    cluster = Cluster(name, backend=backend)
    with cluster:
        os.kill(cluster.status()["supervisor"], signal.SIGKILL)
        assert len(leftovers(name)) >= 6
        end_of(name)
        assert leftovers(name) == []


def end_of(name: str) -> None:
    """End a cluster as a learner does from a terminal."""
    down = [sys.executable, "-m", "eventlab", "down", "--name", name]
    began = time.monotonic()
    subprocess.run(down, check=True, timeout=60)
    assert time.monotonic() - began < 30
