"""What one does to a broker is done to a real process, and can be undone."""

from __future__ import annotations

import psutil
import pytest

from eventlab import Cluster
from eventlab.cluster import topics
from eventlab.errors import NeverHappened, UnknownNode, UnknownTopic
from eventlab.waiting import wait_until
from tests.live.clients import produce, read_all


def test_a_killed_broker_comes_back_on_its_data(cluster, topic):
    """SIGKILL ends the process at once; a start brings it back with all it had."""
    produce(cluster, topic, 50)
    broker = cluster.brokers[1]
    pid = broker.pid
    assert broker.kill().state == "killed"
    assert not psutil.pid_exists(pid)
    assert broker.start().state == "running"
    assert broker.pid != pid
    assert read_all(cluster, topic) == list(range(50))


def test_a_stopped_broker_left_in_order(cluster):
    """SIGTERM lets it hand its partitions over: its log tells of a controlled shutdown."""
    broker = cluster.brokers[2]
    assert broker.stop().state == "stopped"
    assert "shut down completed" in broker.log(40)
    assert broker.start().state == "running"


def test_a_frozen_broker_is_halted_and_thaws(cluster):
    """SIGSTOP halts the process, which the operating system confirms; SIGCONT lets it go on."""
    broker = cluster.brokers[3]
    assert broker.freeze().state == "frozen"
    assert psutil.Process(broker.pid).status() == psutil.STATUS_STOPPED
    assert broker.thaw().state == "running"


def test_verbs_are_safe_to_repeat(cluster):
    """Starting what runs, thawing what is not frozen and killing twice change nothing."""
    broker = cluster.brokers[3]
    pid = broker.pid
    assert broker.start().thaw().pid == pid
    assert broker.kill().kill().stop().state == "killed"
    assert broker.restart().state == "running"


def test_a_broker_that_is_not_there_is_named(cluster):
    """Item 75: an id that no broker has is an error that lists those that there are."""
    with pytest.raises(UnknownNode, match="It has 1, 2, 3"):
        cluster.brokers[99].kill()


def test_the_log_is_readable(cluster):
    """Each line has a time, a level and who says it; the last ones are what was asked for."""
    lines = cluster.brokers[1].log(5).splitlines()
    assert len(lines) == 5
    assert "Kafka" in cluster.brokers[1].log(1000)


@pytest.mark.parametrize("verb", ["kill", "freeze"])
def test_topics_are_managed_while_a_broker_is_away(cluster, verb):
    """Whichever broker a client had taken for the controller is gone: the others serve it."""
    shape = {"partitions": 2, "replication_factor": 2, "min_insync_replicas": 1}
    for broker in cluster.brokers.values():
        name = f"away-{verb}-{broker.node_id}"
        getattr(broker, verb)()
        cluster.create_topic(name, **shape)
        assert name in set(cluster.topics()["topic"])
        cluster.delete_topic(name)
        broker.thaw().start()
    assert {node["state"] for node in cluster.status()["nodes"]} == {"running"}


def test_preferred_leaders_lead_again_when_they_are_asked_to(cluster, topic):
    """A broker that comes back follows; whichever it was, the first replicas can be elected."""
    for node in cluster.brokers:
        cluster.brokers[node].restart()
        wait_until(lambda: all(len(p.isr) == 3 for p in parts(cluster, topic)), 30, "Not in sync.")
        assert node not in {part.leader for part in parts(cluster, topic)}
        cluster.elect_preferred(topic)
        assert all(part.leader == part.replicas[0] for part in parts(cluster, topic))
    with pytest.raises(UnknownTopic):
        cluster.elect_preferred("nowhere")


def parts(cluster, topic):
    return topics.partitions(cluster._admin, topic).values()


def test_topics_of_brokers_that_are_all_frozen_are_a_typed_error(name):
    """Nobody answers: the question ends at its deadline and says so."""
    with Cluster(name, brokers=1) as cluster:
        cluster.topics()
        cluster.brokers[1].freeze()
        with pytest.raises(NeverHappened, match="The list of topics was not answered"):
            cluster.topics()


def test_a_frozen_broker_does_nothing_more_when_the_call_returns(cluster):
    """SIGSTOP is delivered thread by thread: until the last has stopped, a send may be answered."""
    broker = cluster.brokers[1]
    try:
        for _ in range(20):
            broker.freeze()
            assert broker.state == "frozen"
            broker.thaw()
            assert broker.state == "running"
    finally:
        broker.thaw()
