"""Nobody else reaches the cluster, reads it or steers its processes; it steers only its own."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess

import psutil
import pytest

from eventlab import environment
from eventlab.cluster import java, jvm, process, registry
from tests.live.clients import produce


def nodes_of(cluster) -> list[psutil.Process]:
    """Return the JVMs of a cluster."""
    return [psutil.Process(node["pid"]) for node in cluster.status()["nodes"]]


def processes(cluster) -> list[psutil.Process]:
    """Return the supervisor, the JVMs and whatever they started."""
    supervisor = psutil.Process(cluster.status()["supervisor"])
    return [supervisor, *supervisor.children(recursive=True)]


def test_the_processes_are_the_ones_that_are_told(cluster):
    """What follows looks at every process there is: a supervisor and its JVMs."""
    told = {node["pid"] for node in cluster.status()["nodes"]}
    assert {found.pid for found in processes(cluster)} == told | {cluster.status()["supervisor"]}


def test_every_socket_is_on_loopback(cluster, topic):
    """S1: whatever listens, and whatever talks, does so on 127.0.0.1 and nowhere else."""
    produce(cluster, topic, 10)
    listening: dict[int, int] = {}
    for found in processes(cluster):
        for connection in found.net_connections("inet"):
            ends = [end.ip for end in (connection.laddr, connection.raddr) if end]
            assert set(ends) <= {"127.0.0.1", "::ffff:127.0.0.1"}, (found.cmdline(), connection)
            if connection.status == psutil.CONN_LISTEN:
                listening[connection.laddr.port] = found.pid
    supervisor = cluster.status()["supervisor"]
    pids = {node["node_id"]: node["pid"] for node in cluster.status()["nodes"]}
    expected = {}
    for node in json.loads((cluster.folder / "launch.json").read_text())["nodes"]:
        for at in node["listeners"]:
            expected |= {at["port"]: supervisor, at["behind"]: pids[node["node_id"]]}
    assert listening == expected


def test_everything_in_its_folder_is_private(cluster, topic):
    """S9: data, logs, properties, launch file and control socket are the user's own."""
    produce(cluster, topic, 10)
    modes: dict[str, int] = {}
    for path in [cluster.folder, *cluster.folder.rglob("*")]:
        status = path.lstat()
        kind = "folder" if stat.S_ISDIR(status.st_mode) else "file"
        wanted = 0o700 if kind == "folder" or stat.S_ISSOCK(status.st_mode) else 0o600
        assert status.st_uid == os.getuid()
        assert not stat.S_ISLNK(status.st_mode)
        if stat.S_IMODE(status.st_mode) != wanted:
            modes[str(path.relative_to(cluster.folder))] = stat.S_IMODE(status.st_mode)
    assert {name: oct(mode) for name, mode in modes.items()} == {}
    for name in ("launch.json", "state.json", "supervisor.log", "node-1/server.properties"):
        assert (cluster.folder / name).is_file()
    assert stat.S_ISSOCK((cluster.folder / "control").stat().st_mode)
    assert any(cluster.folder.glob(f"node-*/data/{topic}-*/*.log"))


def test_the_way_to_its_folder_is_private(cluster):
    """S9: the folder of all clusters is closed to others, whatever the home is like."""
    assert stat.S_IMODE(registry.clusters().stat().st_mode) == 0o700
    assert cluster.folder.parent == registry.clusters()


def test_the_jvms_have_a_clean_environment(cluster):
    """S12: nothing of the shell that started them, and the mark by which they are known."""
    for found in nodes_of(cluster):
        told = found.environ()
        assert set(told) <= {"PATH", "HOME", "TMPDIR", "TZ", "LC_ALL", process.MARK}
        assert told[process.MARK] == str(cluster.folder)
        assert not set(told) & set(environment.IGNORED)


def test_no_jvm_has_a_door(cluster):
    """S12: no JMX, no debugger, no agent; what it was started with says so."""
    for found in nodes_of(cluster):
        line = found.cmdline()
        assert "-XX:+DisableAttachMechanism" in line
        for word in ("jmxremote", "jdwp", "-agentlib", "-agentpath", "-javaagent"):
            assert not any(word in argument for argument in line)


def test_nobody_can_attach(cluster):
    """S12: jcmd of the same Java, by the same user, is refused, and the broker lives on."""
    jcmd = java.find().home / "bin" / "jcmd"
    if not jcmd.exists():
        pytest.skip("this Java brings no jcmd to attach with")
    pid = cluster.brokers[1].pid
    done = subprocess.run(
        [jcmd, str(pid), "VM.version"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "AttachNotSupportedException" in done.stdout + done.stderr
    assert cluster.brokers[1].state == "running"
    assert cluster.brokers[1].pid == pid


def test_jcmd_attaches_where_it_may():
    """What the test before this one shows is the flag's doing, not that of a broken jcmd."""
    tools = java.find().home / "bin"
    if not ((tools / "jcmd").exists() and (tools / "jwebserver").exists()):
        pytest.skip("this Java brings no jcmd, or no program to attach to")
    command = [tools / "jwebserver", "-b", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=jvm.environ()) as server:
        server.stdout.readline()  # it runs now
        asked = [tools / "jcmd", str(server.pid), "VM.version"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
        server.kill()
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_secret_of_the_shell_is_in_what_is_written(cluster):
    """S10: the launch file holds the environment of the JVMs, and no more of the shell's."""
    text = (cluster.folder / "launch.json").read_text("utf-8")
    assert "PYTEST_CURRENT_TEST" in os.environ
    assert "PYTEST_CURRENT_TEST" not in text


def test_only_what_is_marked_is_killed(cluster):
    """S15: a JVM of this cluster is spared when the mark or the start time is another's."""
    broker = cluster.brokers[2]
    pid, started = broker.pid, process.started_at(broker.pid)
    mark = str(cluster.folder)
    assert not process.kill_marked(pid, started, mark + "-other")
    assert not process.kill_marked(pid, started - 60, mark)
    assert not process.kill_marked(os.getpid(), process.started_at(os.getpid()), mark)
    assert broker.state == "running"
    assert broker.pid == pid


@pytest.mark.parametrize(
    "junk", [b"\n", b"junk\n", b"{}\n", b'{"do": "nonsense"}\n', b'{"do": "node"}\n', b"\xff" * 99]
)
def test_a_request_that_is_none_does_not_end_the_supervisor(cluster, junk, monkeypatch):
    """Only the user may open the socket; a mistake of theirs must not end the cluster."""
    before = cluster.status()["supervisor"]
    monkeypatch.chdir(cluster.folder)  # the name of a socket has to be short
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("control")
        connection.sendall(junk)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(10)
        connection.recv(1)
    assert cluster.status()["supervisor"] == before
