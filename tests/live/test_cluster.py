"""A cluster is real, shared by name, and shows itself."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kafka.protocol.metadata import MetadataRequest

from eventlab import Cluster
from eventlab.cluster import registry, topics
from eventlab.errors import ClusterMismatch, ClusterNotRunning, TopicMismatch, UnknownTopic
from tests.conftest import marked_processes
from tests.live.clients import produce, read_all


def test_one_controller_and_three_brokers_are_four_processes(cluster):
    """Four real JVMs: a controller of its own, so that two brokers can die without the quorum."""
    nodes = [cluster.controller, *cluster.brokers.values()]
    assert [node.node_id for node in nodes] == [100, 1, 2, 3]
    assert [node.role for node in nodes] == ["controller", "broker", "broker", "broker"]
    assert len({node.pid for node in nodes}) == 4
    assert cluster.kafka_version == "4.4.0"


def test_the_features_are_finalised(cluster):
    """Formatting without a JVM is honest: Kafka reports the features its own tool would set."""
    told = cluster.admin.describe_features()
    finalized = {
        name: levels["finalized"][1] for name, levels in told.items() if "finalized" in levels
    }
    assert finalized == {
        "metadata.version": 33,
        "eligible.leader.replicas.version": 1,
        "group.version": 1,
        "share.version": 2,
        "streams.version": 1,
        "transaction.version": 2,
    }


def test_a_record_sent_is_read_back(cluster, topic):
    """What is acknowledged can be read, through all three partitions."""
    acks = produce(cluster, topic, 100)
    assert {partition for partition, _ in acks} == {0, 1, 2}
    assert read_all(cluster, topic) == list(range(100))


def test_starting_again_attaches(cluster):
    """Two notebooks share one cluster: a second start of the name finds the same processes."""
    again = Cluster.start(name=cluster.name)
    assert again.status()["nodes"] == cluster.status()["nodes"]
    assert Cluster.start(name=cluster.name, brokers=3).controller.pid == cluster.controller.pid


def test_other_settings_under_the_same_name_are_refused(cluster):
    """A cluster of three brokers is not quietly given to who asked for two."""
    with pytest.raises(ClusterMismatch, match="brokers=3"):
        Cluster.start(name=cluster.name, brokers=2)


def test_it_shows_itself_as_a_table_and_as_a_line(cluster):
    """In a notebook a table with a row for each node, in a terminal one line."""
    assert cluster._repr_html_().count("<tr>") == 5
    assert "\n" not in repr(cluster)
    assert "4 of 4 nodes running" in repr(cluster)
    assert repr(cluster.brokers[1]).startswith("<Broker 1 · 127.0.0.1:")
    assert str(cluster.brokers[1].pid) in cluster.brokers[1]._repr_html_()


def test_topics_are_created_listed_and_deleted(cluster):
    """A new topic is usable at once, has the shape asked for, and is gone when deleted."""
    cluster.create_topic("shape", partitions=4, replication_factor=2, min_insync_replicas=1)
    row = cluster.topics().set_index("topic").loc["shape"]
    assert row.to_dict() == {"partitions": 4, "replication_factor": 2, "min_insync_replicas": 1}
    cluster.create_topic("shape", partitions=4, replication_factor=2, min_insync_replicas=1)
    with pytest.raises(TopicMismatch, match="partitions=4"):
        cluster.create_topic("shape", partitions=5, replication_factor=2, min_insync_replicas=1)
    cluster.delete_topic("shape")
    with pytest.raises(UnknownTopic):
        cluster.delete_topic("shape")


def test_a_topic_that_is_deleted_while_topics_are_looked_at_is_left_out(cluster):
    """Between the question which topics there are and that for their settings one may go."""
    cluster.create_topic("stays", partitions=1)
    cluster.create_topic("goes", partitions=1)
    client = cluster.admin

    def described_and_then_deleted(names):
        told = client.describe_topics(names)
        cluster.delete_topic("goes")
        return told

    late = SimpleNamespace(
        describe_topics=described_and_then_deleted, describe_configs=client.describe_configs
    )
    told = topics.rows(late, ["goes", "stays"])
    assert [row["topic"] for row in told] == ["stays"]
    assert topics.rows(client, ["goes"]) == []
    cluster.delete_topic("stays")


def test_every_broker_knows_of_a_new_topic_and_of_its_end(cluster):
    """Brokers learn of it one after the other; whoever asks next may ask the last of them."""
    for number in range(30):
        name = f"known-{number}"
        cluster.create_topic(name, partitions=2, replication_factor=1)
        assert knowers(cluster, name) == [1, 2, 3]
        cluster.delete_topic(name)
        assert knowers(cluster, name) == []


def knowers(cluster, name: str) -> list[int]:
    """Return the brokers that tell of this topic."""
    run, send = cluster.admin._manager.run, cluster.admin._manager.send
    request = MetadataRequest(topics=[MetadataRequest.MetadataRequestTopic(name=name)])
    told = {node: run(lambda n=node: send(request, node_id=n)).topics for node in cluster.brokers}
    return [node for node, (topic,) in told.items() if topic.partitions]


def test_fresh_empties_a_topic(cluster, topic):
    """A cell that is run again starts with an empty topic when it asks for a fresh one."""
    produce(cluster, topic, 10)
    cluster.create_topic(topic, partitions=3, fresh=True)
    assert read_all(cluster, topic) == []
    produce(cluster, topic, 5)
    assert read_all(cluster, topic) == [0, 1, 2, 3, 4]


def test_a_context_manager_leaves_nothing_behind(name):
    """After the block no process and no folder of the cluster is there."""
    with Cluster(name, brokers=1) as cluster:
        folder = cluster.folder
        assert marked_processes(name)
    assert not marked_processes(name)
    assert not folder.exists()
    assert registry.running(name) is None
    cluster.stop()  # a second time is nothing
    with pytest.raises(ClusterNotRunning):
        _ = cluster.bootstrap_servers


@pytest.mark.parametrize("profile", ["small", "stock"])
def test_the_other_profiles_serve_too(name, profile):
    """A single combined node for small machines; Kafka's own defaults for who wants to see them."""
    with Cluster(name, profile=profile) as cluster:
        assert len(cluster.status()["nodes"]) == {"small": 1, "stock": 4}[profile]
        cluster.create_topic("orders", partitions=2)
        produce(cluster, "orders", 20)
        assert read_all(cluster, "orders") == list(range(20))


def test_properties_reach_the_brokers(name):
    """A property under Kafka's own name is what the broker itself reports."""
    from kafka.admin import ConfigResource, ConfigResourceType

    with Cluster(name, profile="small", properties={"log.retention.ms": 60_000}) as cluster:
        broker = ConfigResource(ConfigResourceType.BROKER, "1")
        told = cluster.admin.describe_configs([broker], config_filter="all")
    assert told["broker"]["1"]["log.retention.ms"]["value"] == "60000"
