"""What makes a start quick is used by every node, and is never needed."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import psutil
import pytest

from eventlab import Cluster
from eventlab.cluster import jars, java, prepare
from tests.live.clients import produce, read_all


@pytest.fixture
def other_home(tmp_path, monkeypatch):
    """Return an EVENTLAB_HOME of the test's own, with Kafka's jars but nothing prepared."""
    fetched = jars.folder()
    monkeypatch.setenv("EVENTLAB_HOME", str(tmp_path / "home"))
    shutil.copytree(fetched, jars.folder(), copy_function=shutil.copy2)
    return tmp_path / "home"


def test_every_node_maps_the_start_up_cache(cluster):
    """One cache serves all four: each JVM has the same file mapped, so its pages are shared."""
    cache = str(prepare.prepared(java.find(), jars.find()).cache)
    for node in [cluster.controller, *cluster.brokers.values()]:
        process = psutil.Process(node.pid)
        assert f"-XX:AOTCache={cache}" in process.cmdline()
        if sys.platform.startswith("linux"):
            assert cache in {mapped.path for mapped in process.memory_maps()}


def test_a_damaged_cache_is_not_fatal(other_home, name):
    """A cache that Java cannot use makes a start slower, never impossible."""
    made = prepare.prepared(java.find(), jars.find())
    made.cache.write_bytes(b"not a cache")
    with Cluster(name, profile="small") as cluster:
        assert cluster.brokers[1].state == "running"
    assert not any((other_home / "clusters").glob("*/"))


def test_preparing_happens_once_and_leaves_no_draft(other_home):
    """The second call finds what the first made; no training folder stays behind."""
    first = prepare.prepared(java.find(), jars.find())
    made = first.cache.stat().st_mtime_ns
    assert prepare.prepared(java.find(), jars.find()) == first
    assert first.cache.stat().st_mtime_ns == made
    names = sorted(path.name for path in first.checkpoint.parent.iterdir())
    assert names == [first.checkpoint.name, "nodes.aot"]


def test_an_unpacked_distribution_can_be_named(tmp_path, name, monkeypatch):
    """EVENTLAB_KAFKA_HOME: the jars of a distribution, which logs through Log4j 2, do as well."""
    libs = tmp_path / "kafka" / "libs"
    libs.mkdir(parents=True)
    for jar in jars.find().jars:
        if not jar.name.startswith("slf4j"):
            os.link(jar, libs / jar.name) if _same_disk(jar, libs) else shutil.copy2(jar, libs)
    for coordinate in _LOGGING:
        shutil.copy2(_artifact(tmp_path, *coordinate.split(":")), libs)
    monkeypatch.setenv("EVENTLAB_KAFKA_HOME", str(tmp_path / "kafka"))
    with Cluster(name, profile="small") as cluster:
        cluster.create_topic("orders", partitions=1)
        produce(cluster, "orders", 5)
        assert read_all(cluster, "orders") == [0, 1, 2, 3, 4]
        assert "INFO kafka.server" in cluster.brokers[1].log(500)


def _same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


# What a distribution logs with; our lock has another SLF4J and no provider for Log4j 2.
_LOGGING = ("org.slf4j:slf4j-api:1.7.36", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5")


def _artifact(folder: Path, group: str, artifact: str, version: str) -> Path:
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=folder / "repository", local_repos=[])
    return context.project(group, artifact).at_version(version).artifact().resolve()
