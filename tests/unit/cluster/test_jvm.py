"""How a node's JVM is started: with nothing of the learner's shell, and with no door open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eventlab import environment
from eventlab.cluster import java, jvm
from eventlab.cluster.jars import Kafka
from eventlab.cluster.java import Java

KAFKA = Kafka("4.4.0", (Path("/jars/b.jar"), Path("/jars/a.jar")))


def line(version: str = "25.0.2", cache: Path | None = None) -> list[str]:
    """Return the command line of a node."""
    return jvm.command(Java(Path("/java"), version), KAFKA, "128m", cache)


@pytest.mark.parametrize("name", environment.IGNORED)
def test_what_java_and_kafka_read_does_not_reach_a_node(name, monkeypatch):
    """Item 11: JMX_PORT, KAFKA_OPTS, JAVA_TOOL_OPTIONS, CLASSPATH and their like."""
    monkeypatch.setenv(name, "9999")
    assert name not in jvm.environ()


def test_a_node_gets_a_short_list_and_no_more(monkeypatch):
    """Items 11 and 12: neither proxies nor secrets of the shell are in a broker's environment."""
    for name in ("http_proxy", "https_proxy", "AWS_SECRET_ACCESS_KEY", "LD_PRELOAD", "PYTHONPATH"):
        monkeypatch.setenv(name, "x")
    told = jvm.environ(MARK="here")
    assert set(told) <= {"PATH", "HOME", "TMPDIR", "TZ", "LC_ALL", "MARK"}
    assert told["MARK"] == "here"
    assert sys.platform == "darwin" or told["LC_ALL"] == "C.UTF-8"


def test_no_door_is_open():
    """No JMX, no debugger, no attaching; errors and dumps stay in the node's own folder."""
    told = line()
    assert "-XX:+DisableAttachMechanism" in told
    assert "-XX:-UsePerfData" in told  # it would be a file in the shared temporary folder
    assert "-XX:ErrorFile=hs_err.log" in told
    for word in ("jmxremote", "jdwp", "-agent", "-javaagent", "Xdebug"):
        assert not any(word in argument for argument in told)


def test_the_class_path_keeps_its_order():
    """The start-up cache is valid for one order of jars only."""
    told = line(cache=Path("/cache/nodes.aot"))
    assert told[0] == "/java/bin/java"
    assert told[told.index("-cp") + 1] == "/jars/b.jar:/jars/a.jar"
    assert told[-2:] == ["kafka.Kafka", "server.properties"]
    assert "-XX:AOTCache=/cache/nodes.aot" in told
    assert not any("AOTCache" in argument for argument in line())


@pytest.mark.parametrize(("version", "knows"), [("17.0.1", False), ("21.0.1", False), ("24", True)])
def test_an_older_java_gets_no_flag_it_does_not_know(version, knows):
    """Java ends at a flag it does not know; Java 24 warns at each start without these two."""
    told = line(version)
    assert ("--sun-misc-unsafe-memory-access=allow" in told) is knows
    assert ("--enable-native-access=ALL-UNNAMED" in told) is knows


def test_this_java_takes_the_flags():
    """Every flag is one that the Java in use accepts."""
    found = java.find()
    asked = [found.executable, *jvm.flags(found, "64m"), "-version"]
    done = subprocess.run(asked, env=jvm.environ(), capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower()
