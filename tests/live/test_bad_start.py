"""Starts that go wrong, or are done in odd places: what is said, and what is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from eventlab import Cluster, environment
from eventlab.cli import main
from eventlab.cluster import registry, storage
from eventlab.errors import (
    ClusterMismatch,
    ClusterNotRunning,
    DataFolderUnusable,
    InvalidSetting,
    NotEnoughRoom,
    StartFailed,
    UnknownTopic,
    shown,
)
from tests.conftest import nothing_left
from tests.live.clients import produce, read_all
from tests.unit.refusals import picture, refused

# Starts a small cluster, sends a record, tells its state, and holds it until its input ends.
HOLDER = """
import json, sys, warnings
from kafka import KafkaProducer
from eventlab import Cluster
warnings.simplefilter("always")
with Cluster(sys.argv[1], profile="small") as cluster:
    cluster.create_topic("orders", partitions=1)
    with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer:
        offset = producer.send("orders", b"1").get(timeout=30).offset
    print(json.dumps(cluster.status() | {"offset": offset}), flush=True)
    sys.stdin.read()
"""
FORKED = """
import os, sys
from eventlab import Cluster
child = os.fork()
if not child:
    with Cluster(sys.argv[1], profile="small") as cluster:
        cluster.create_topic("orders", partitions=1)
        print(list(cluster.topics()["topic"]), flush=True)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@contextmanager
def started(code: str, name: str, *before: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """Run code in a Python of its own, in an environment with these additions."""
    command = [*before, sys.executable, "-c", code, name]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, env=os.environ | environ, **pipes) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize(
    ("properties", "cause"),
    [
        ({"log.segment.bytes": 1}, "Invalid value 1 for configuration log.segment.bytes"),
        ({"num.io.threads": "many"}, "Invalid value many for configuration num.io.threads"),
    ],
)
@pytest.mark.parametrize("profile", ["lab", "small"])
def test_a_node_that_ends_while_it_starts_is_told_with_its_cause(name, properties, cause, profile):
    """Item 30: in seconds, in Kafka's own words, with the end of its log, and nothing left."""
    with refused(StartFailed, cause, within=20) as caught:
        Cluster.start(name, properties=properties, profile=profile)
    lines = caught.value.log.splitlines()
    assert 0 < len(lines) <= 20
    assert any(cause in line for line in lines)
    assert nothing_left(name)


def test_a_failed_start_does_not_spoil_the_next(name):
    """Item 30: the cell is mended and run again."""
    with pytest.raises(StartFailed):
        Cluster.start(name, profile="small", properties={"log.segment.bytes": 1})
    with Cluster(name, profile="small") as cluster:
        assert len(cluster.brokers) == 1


def test_stopping_twice_and_using_what_is_stopped(name):
    """Item 31: a cell run twice is no error; a cell that needs the cluster says what to do."""
    never = Cluster(name)
    never.stop()
    never.stop()
    with refused(ClusterNotRunning, name, "Cluster.start()"):
        _ = never.brokers
    for use in (
        lambda: never.bootstrap_servers,
        lambda: never.kafka_version,
        lambda: never.controller,
        lambda: never.admin,
        never.status,
        never.topics,
        lambda: never.create_topic("orders"),
        lambda: never.delete_topic("orders"),
    ):
        with refused(ClusterNotRunning, name):
            use()
    assert "not running" in repr(never)
    assert "not running" in never._repr_html_()
    assert nothing_left(name)


def test_brokers_of_a_stopped_cluster_say_so(name):
    """Item 31: a broker kept in a variable outlives its cluster, and is no traceback."""
    cluster = Cluster.start(name, profile="small")
    broker = cluster.brokers[1]
    cluster.stop()
    cluster.stop()
    for use in (broker.stop, broker.kill, broker.freeze, broker.start, lambda: broker.state):
        with refused(ClusterNotRunning, name):
            use()
    assert "gone" in repr(broker)
    assert cluster.start() is cluster  # the same object can be started again
    cluster.stop()


def test_an_unknown_topic_names_the_nearest(cluster, topic):
    """Item 22: a typo is the usual reason."""
    with refused(UnknownTopic, topic[:-1], f"Did you mean '{topic}'?", within=5):
        cluster.delete_topic(topic[:-1])


def test_replicas_that_the_cluster_cannot_hold_are_refused(cluster):
    """Item 22: more replicas than brokers, more in sync than replicas; no topic comes of it."""
    with refused(InvalidSetting, "You gave 4.", "there are 3 brokers"):
        cluster.create_topic("too-many", replication_factor=4)
    with refused(InvalidSetting, "You gave 3.", "replication_factor"):
        cluster.create_topic("too-many", replication_factor=2, min_insync_replicas=3)
    assert "too-many" not in list(cluster.topics()["topic"])


@pytest.mark.parametrize(
    "configs",
    [{"retention.mss": "1"}, {"retention.ms": "soon"}, {"cleanup.policy": "x"}, {3: "x"}, "x"],
    ids=str,
)
def test_configs_that_kafka_does_not_take_are_refused(cluster, configs):
    """A typo in a config is told as one, not as a protocol dump; no topic comes of it."""
    with refused(InvalidSetting, shown(configs), within=5):
        cluster.create_topic("odd-configs", configs=configs)
    assert "odd-configs" not in list(cluster.topics()["topic"])


@pytest.mark.parametrize(
    ("other", "has"),
    [
        ({"brokers": 5}, "brokers=3"),
        ({"profile": "stock"}, "profile='lab'"),
        ({"properties": {"log.retention.ms": 1}}, "properties={}"),
        ({"port": 19092}, "port=None"),
        ({"data": "elsewhere"}, "data=None"),
    ],
    ids=str,
)
def test_other_settings_under_a_name_in_use_are_refused(cluster, other, has):
    """Item 23: a second notebook must not work on another cluster than the one it asked for."""
    before = cluster.status()["nodes"]
    with refused(ClusterMismatch, cluster.name, has, "name="):
        Cluster.start(cluster.name, **other)
    assert cluster.status()["nodes"] == before
    assert not Path("elsewhere").exists()


def test_a_data_folder_in_use_is_refused(name, tmp_path):
    """Item 26: two clusters on one folder would each write over the other's records."""
    with Cluster(f"{name}-a", profile="small", data=tmp_path / "data"):
        with refused(DataFolderUnusable, tmp_path / "data", f"{name}-a"):
            Cluster.start(f"{name}-b", profile="small", data=tmp_path / "data")
        assert not registry.folder(f"{name}-b").exists()
    assert nothing_left(name)


def test_a_data_folder_outlives_its_cluster(name, tmp_path):
    """Records come back, in a folder with an unusual name; all in it is the user's own."""
    data = tmp_path / "Daten über alles"
    with Cluster(name, profile="small", data=data) as cluster:
        cluster.create_topic("orders", partitions=2)
        produce(cluster, "orders", 20)
    assert {path.stat().st_mode & 0o077 for path in data.glob("node-*/data")} == {0}
    before = picture(data)
    with refused(DataFolderUnusable, data, "[1], not [100, 1, 2, 3]"):
        Cluster.start(name, data=data)
    assert picture(data) == before
    with Cluster(name, profile="small", data=data) as cluster:
        assert read_all(cluster, "orders") == list(range(20))


def test_a_start_on_a_full_disk_leaves_nothing(name, tmp_path):
    """Items 27 and 28: a real disk with no room, looked at before anything is written to it."""
    if os.getuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a small file system needs root")
    tiny = tmp_path / "tiny"
    tiny.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", tiny], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        with refused(NotEnoughRoom, "500 MiB", "disk"):
            Cluster.start(name, data=tiny / "data")
        assert list(tiny.iterdir()) == []
    finally:
        subprocess.run(["umount", tiny], check=True)
    assert nothing_left(name)


def test_a_hostile_environment_reaches_no_broker(name):
    """Items 11 and 12: JMX stays shut, no option reaches a JVM, loopback goes past the proxy."""
    with socket.socket() as proxy, socket.socket() as jmx:
        for trap in (proxy, jmx):
            trap.bind(("127.0.0.1", 0))
        proxy.listen()
        proxy.setblocking(False)
        jmx_port = jmx.getsockname()[1]
        jmx.close()
        url = "http://{}:{}".format(*proxy.getsockname())
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "all_proxy"), url)
        options = {
            "JMX_PORT": str(jmx_port),
            "KAFKA_OPTS": "-Dtest.trap=1",
            "KAFKA_HEAP_OPTS": "-Xmx1m",
            "JAVA_TOOL_OPTIONS": f"-Dcom.sun.management.jmxremote.port={jmx_port} -Xmx1m",
            "JDK_JAVA_OPTIONS": "-Xmx1m",
            "_JAVA_OPTIONS": "-Xmx1m",
            "CLASSPATH": "nowhere",
            "no_proxy": "",
        }
        with started(HOLDER, name, **proxies, **options) as holder:
            told = json.loads(holder.stdout.readline() or holder.stderr.read())
            jvm = psutil.Process(told["nodes"][0]["pid"])
            assert not set(jvm.environ()) & (set(options) | set(proxies))
            assert not any("trap" in word or "jmxremote" in word for word in jvm.cmdline())
            ports = {c.laddr.port for c in jvm.net_connections("inet") if c.status == "LISTEN"}
            assert len(ports) == 3  # clients, replication, controller
            assert jmx_port not in ports
            assert told["offset"] == 0
            with pytest.raises(BlockingIOError):
                proxy.accept()
            _, said = holder.communicate(timeout=60)
    assert said.count("Brokers are started without") == 1
    assert "JMX_PORT, KAFKA_OPTS, KAFKA_HEAP_OPTS, JAVA_TOOL_OPTIONS" in said
    assert "CLASSPATH" in said


def test_a_host_name_that_leads_nowhere_is_no_obstacle(name):
    """Item 34: laptops have names that no name server knows."""
    own_name = ["unshare", "--uts", "sh", "-c", 'hostname no-such-host.invalid && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*own_name, "true"], check=False).returncode:
        pytest.skip("giving a process a host name of its own needs root and unshare")
    with started(HOLDER, name, *own_name) as holder:
        told = json.loads(holder.stdout.readline() or holder.stderr.read())
        assert told["offset"] == 0
        holder.communicate(timeout=60)
    assert nothing_left(name)


def test_a_start_in_a_forked_child(name):
    """Item 32: multiprocessing forks; the child owns what it starts, and the parent does not."""
    with started(FORKED, name) as parent:
        out, err = parent.communicate(timeout=60)
    assert (parent.returncode, out) == (0, "['orders']\n"), err
    assert nothing_left(name)


def test_a_fork_of_a_holder_has_a_client_of_its_own(cluster):
    """Item 32: an admin client's thread does not come along with a fork."""
    assert cluster.admin.describe_cluster()["brokers"]
    code = """
import os, sys
from eventlab import Cluster
cluster = Cluster.start(sys.argv[1])
mine = cluster.admin
child = os.fork()
if not child:
    assert cluster.admin is not mine
    print(len(cluster.admin.describe_cluster()["brokers"]), flush=True)
    os._exit(0)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert len(mine.describe_cluster()["brokers"]) == 3
sys.exit(code)
"""
    with started(code, cluster.name) as parent:
        out, err = parent.communicate(timeout=60)
    assert (parent.returncode, out) == (0, "3\n"), err


def start_and_list(name: str) -> list[str]:
    """Start a small cluster, make a topic, and return the topics."""
    with Cluster(name, profile="small") as cluster:
        cluster.create_topic("orders", partitions=1)
        return list(cluster.topics()["topic"])


def test_a_start_in_a_thread(name):
    """Item 32: a notebook that does not want to wait."""
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.append(start_and_list(name)))
    thread.start()
    thread.join(60)
    assert seen == [["orders"]]
    assert nothing_left(name)


def test_a_start_in_a_coroutine(name):
    """Item 32: every cell of a notebook runs inside a running event loop."""

    async def cell() -> list[str]:
        assert asyncio.get_running_loop().is_running()
        return start_and_list(name)

    assert asyncio.run(cell()) == ["orders"]
    assert nothing_left(name)


def test_logs_of_an_unknown_node_are_refused(cluster, capsys):
    """Item 31: a node that the cluster does not have."""
    assert main(["logs", "99", "--name", cluster.name]) == 1
    assert "no node 99" in capsys.readouterr().err


def test_a_variable_for_ports_is_kept(name, monkeypatch):
    """Item 20: whoever shares a machine gives each learner a range, and brokers stay in it."""
    monkeypatch.setenv("EVENTLAB_PORTS", "31000-31050")
    with Cluster(name, profile="small") as cluster:
        port = int(cluster.bootstrap_servers.split(":")[1])
    assert port in environment.port_range()


def test_the_cluster_id_is_the_one_it_was_formatted_with(name, tmp_path):
    """Item 26: what is compared later is what Kafka itself says of the cluster."""
    with Cluster(name, profile="small", data=tmp_path / "data") as cluster:
        told = cluster.admin.describe_cluster()
    marked = json.loads((tmp_path / "data" / storage.MARK).read_text("utf-8"))
    assert told["cluster_id"] == marked["cluster_id"]


def test_errors_of_a_start_are_three_sentences_in_a_terminal_too(name, capsys):
    """Item 30: `eventlab up` says what `Cluster.start` raises, and ends with 1."""
    arguments = ["up", "--name", name, "--profile", "small", "--property", "log.segment.bytes=1"]
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "eventlab: Node 1 ended while it started. It says: " in told.err
    assert nothing_left(name)
