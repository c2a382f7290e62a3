"""What was acknowledged survives what brokers do not."""

from __future__ import annotations

from eventlab import Cluster
from tests.live.clients import produce, read_all


def test_sigkill_of_all_four_loses_nothing_acknowledged(name):
    """All JVMs killed at once and started on the same data: every acknowledged record is read.

    Not promised: a power cut. Kafka does not flush each write to disk; replication is its answer.
    """
    with Cluster(name) as cluster:
        cluster.create_topic("orders", partitions=3)
        produce(cluster, "orders", 2_000)
        nodes = [*cluster.brokers.values(), cluster.controller]
        for node in nodes:
            node.kill()
        for node in reversed(nodes):
            node.start()
        assert read_all(cluster, "orders") == list(range(2_000))
        produce(cluster, "orders", 10, start=2_000)
        assert read_all(cluster, "orders") == list(range(2_010))


def test_a_named_data_folder_outlives_the_cluster(name, tmp_path):
    """With data= the records are there in the next cluster of this folder."""
    with Cluster(name, brokers=1, data=tmp_path / "däta") as cluster:
        cluster.create_topic("orders", partitions=1)
        produce(cluster, "orders", 20)
    with Cluster(name, brokers=1, data=tmp_path / "däta") as cluster:
        assert read_all(cluster, "orders") == list(range(20))
