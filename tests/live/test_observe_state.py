"""What observation says of brokers, quorum, topics and partitions is what Kafka itself says."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from eventlab import Cluster, observe
from eventlab.errors import ClusterNotRunning, NeverHappened, UnknownTopic
from eventlab.waiting import wait_until
from tests.live.clients import nothing_kept_open, produce
from tests.unit.refusals import refused


@pytest.fixture(autouse=True)
def _nothing_is_left_open_and_nobody_is_silent(cluster):
    """Each call closes what it opens; on a cluster that is well none has anything to warn of."""
    with nothing_kept_open(cluster), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


def test_partitions_are_what_the_admin_client_describes(cluster, topic):
    """Leaders, epochs, replicas and in-sync replicas, partition by partition."""
    frame = observe.partitions(cluster, topic)
    (told,) = cluster.admin.describe_topics([topic])
    for part in told["partitions"]:
        row = frame.loc[part["partition_index"]]
        assert row["partition"] == part["partition_index"]
        assert (row["leader"], row["leader_epoch"]) == (part["leader_id"], part["leader_epoch"])
        assert row["replicas"] == tuple(part["replica_nodes"])
        assert set(row["isr"]) == set(part["isr_nodes"])
        assert row["elr"] == ()
    assert list(frame["topic"]) == [topic] * 3


def test_offsets_are_those_of_a_consumer(cluster, topic):
    """Both ends of each log, also after the older records were deleted."""
    produce(cluster, topic, 30)
    parts = [TopicPartition(topic, number) for number in range(3)]
    cluster.admin.delete_records({parts[1]: 4})
    frame = observe.partitions(cluster, topic)
    with KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers) as consumer:
        starts, ends = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
    assert list(frame["log_start_offset"]) == [starts[part] for part in parts] != [0, 0, 0]
    assert list(frame["log_end_offset"]) == [ends[part] for part in parts]
    assert frame["log_end_offset"].sum() == 30
    assert (frame["size_bytes"] > 0).all()


def test_an_empty_topic_has_a_row_for_each_partition(cluster, topic):
    """Both ends are 0, and nothing is on disk."""
    frame = observe.partitions(cluster, topic)
    assert frame[["log_start_offset", "log_end_offset", "size_bytes"]].eq(0).all().all()


def test_kafkas_own_topics_are_shown_when_they_are_asked_for(cluster, topic):
    """They are no business of a first look, and yet no secret."""
    assert list(observe.partitions(cluster)["topic"].unique()) == list(cluster.topics()["topic"])
    frame = observe.partitions(cluster, "__consumer_offsets")
    assert set(frame["topic"]) == {"__consumer_offsets"}
    assert len(frame) == 3


def test_topics_have_the_shape_they_were_created_with(cluster, topic):
    """And none of their partitions wants anything."""
    produce(cluster, topic, 3)
    table = observe.topics(cluster)
    row = table.set_index("topic").loc[topic].to_dict()
    assert row.pop("size_bytes") == observe.partitions(cluster, topic)["size_bytes"].sum() > 0
    assert row == {
        "partitions": 3,
        "replication_factor": 3,
        "min_insync_replicas": 2,
        "under_replicated": 0,
        "under_min_isr": 0,
        "offline": 0,
    }
    shape = list(cluster.topics().columns)
    assert table[shape].equals(cluster.topics().astype(table[shape].dtypes))


def test_brokers_lead_and_hold_all_there_is(cluster, topic):
    """Each partition has one leader and replicas in sync, those of Kafka's own topics included."""
    produce(cluster, topic, 30)
    table = observe.brokers(cluster)
    assert list(table["node_id"]) == [1, 2, 3]
    assert list(table["address"]) == [node.address for node in cluster.brokers.values()]
    assert table["answered"].all()
    assert not table["fenced"].any()
    parts = [part for topic in cluster.admin.describe_topics() for part in topic["partitions"]]
    assert table["leaders"].sum() == len(parts)
    assert table["replicas"].sum() == sum(len(part["replica_nodes"]) for part in parts)
    assert table["in_sync"].sum() == sum(len(part["isr_nodes"]) for part in parts)
    assert (table["size_bytes"] > 0).all()


def test_the_quorum_has_one_leader_and_the_brokers_observe(cluster):
    """A controller of its own votes alone; brokers follow the metadata within a moment."""
    table = observe.quorum(cluster)
    assert dict(zip(table["node_id"], table["status"], strict=True)) == {
        1: "Observer",
        2: "Observer",
        3: "Observer",
        100: "Leader",
    }
    assert (table["leader_epoch"] >= 1).all()
    assert table["log_end_offset"].max() - table["lag"].max() > 0
    assert table.set_index("node_id")["lag"][100] == 0
    assert table["last_caught_up_time"].notna().all()


def test_an_address_will_do(cluster, topic):
    """A cluster that somebody else runs is looked at in the same way, from any of its brokers."""
    address = cluster.brokers[2].address
    for look in (observe.partitions, observe.topics, observe.brokers, observe.groups):
        assert (
            look(address)
            .drop(columns="size_bytes", errors="ignore")
            .equals(look(cluster).drop(columns="size_bytes", errors="ignore"))
        )


def test_many_may_look_at_once(cluster, topic):
    """Ten threads, a hundred looks: all see the same."""
    with ThreadPoolExecutor(10) as pool:
        looks = list(pool.map(lambda _: observe.partitions(cluster, topic), range(100)))
    assert all(look.equals(looks[0]) for look in looks)


@pytest.mark.parametrize(
    "name", ["", "no such", "orders/2026", "x" * 250, "\ud800", 5, None, ["a"]]
)
def test_a_topic_that_is_none_is_refused_and_not_created(cluster, topic, name):
    """Item 41: whatever was given, the message has the nearest name, and nothing has changed."""
    before = list(observe.topics(cluster)["topic"])
    with refused(UnknownTopic, within=2):
        observe.partitions(cluster, name) if name is not None else observe.records(cluster, name)
    with refused(UnknownTopic, within=2):
        observe.watch(cluster, observe.partitions, "x" if name is None else name)
    assert list(observe.topics(cluster)["topic"]) == before


def test_a_typo_is_answered_with_the_nearest_name(cluster, topic):
    """One letter too few."""
    with refused(UnknownTopic, f"Did you mean '{topic}'?", within=2):
        observe.partitions(cluster, topic[:-1])
    with refused(UnknownTopic, f"Did you mean '{topic}'?", within=2):
        observe.records(cluster, topic[:-1])


def test_a_cluster_that_is_not_running_is_said_to_be_so():
    """Before its start and after its stop, at once."""
    for look in (observe.brokers, observe.lag, observe.partitions, observe.quorum):
        with refused(ClusterNotRunning):
            look(Cluster("never-started"))
    with refused(ClusterNotRunning):
        observe.watch(Cluster("never-started"), "orders")


def test_where_nobody_listens_it_ends_at_the_deadline():
    """No retrying for half a minute, as the client alone would."""
    with refused(NeverHappened, "No broker of the cluster answered", within=8):
        observe.brokers("127.0.0.1:9")


def test_the_end_of_a_log_is_the_end_of_what_is_replicated(cluster):
    """Records that the leader alone has are acknowledged with acks=1, but nobody can read them yet.

    Both followers are frozen for less than a session: they stay in sync, and nothing moves.
    """
    cluster.create_topic("hw", partitions=1, min_insync_replicas=1, fresh=True)
    leader = observe.partitions(cluster, "hw")["leader"][0]
    followers = [node for number, node in cluster.brokers.items() if number != leader]
    config = {"bootstrap_servers": cluster.bootstrap_servers, "enable_idempotence": False}
    with KafkaProducer(acks=1, **config) as producer:
        producer.partitions_for("hw")
        try:
            for node in followers:
                node.freeze()
            acks = [producer.send("hw", b"x").get(timeout=10).offset for _ in range(5)]
            with pytest.warns(UserWarning, match="did not answer"):
                frame = observe.partitions(cluster, "hw")
        finally:
            for node in followers:
                node.thaw()
    assert acks == [0, 1, 2, 3, 4]
    assert list(frame["log_end_offset"]) == [0]
    wait_until(
        lambda: observe.partitions(cluster, "hw")["log_end_offset"][0] == 5, 20, "It stayed at 0."
    )
    wait_until(lambda: len(observe.partitions(cluster, "hw")["isr"][0]) == 3, 20, "ISR is short.")
    cluster.delete_topic("hw")
