"""The command line refuses in one line, says by its code what happened, and speaks JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from eventlab import __version__
from eventlab.cli import checkout, doctor, lab, main
from eventlab.cli.parser import parser
from eventlab.cluster import nodes, registry
from eventlab.cluster.settings import Settings
from eventlab.errors import NotSupported, PortInUse
from tests.conftest import marked_processes
from tests.unit.refusals import refused


def refusal(capsys, *arguments: str) -> str:
    """Run a command that is refused, and return the one line it says on stderr."""
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("eventlab: ")
    assert told.err.count("\n") == 1
    return told.err


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (["--brokers", "0"], "You gave 0."),
        (["--brokers", "-1"], "You gave -1."),
        (["--brokers", "100"], "You gave 100."),
        (["--port", "80"], "You gave 80."),
        (["--port", "65536"], "You gave 65536."),
        (["--profile", "big"], "You gave 'big'."),
        (["--data", ""], "You gave ''."),
        (["--property", "log.retention.ms"], "You gave 'log.retention.ms'."),
        (["--property", "=5"], "You gave ''."),
        (["--property", "node.id=5"], "You gave '5'."),
        (["--profile", "small", "--brokers", "3"], "You gave brokers=3."),
    ],
)
def test_up_refuses_what_cluster_refuses(arguments, seen, name, capsys):
    """Items 18, 19 and 21, from a terminal."""
    assert seen in refusal(capsys, "up", "--name", name, *arguments)
    assert not registry.folder(name).exists()
    assert not marked_processes(name)


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["up", "--brokers", "three"], ["up", "--brokers", "2.5"], ["up", "--nope"],
     ["up", "--port", "abc"], ["logs", "first"], ["status", "extra"]],
    ids=" ".join,
)  # fmt: skip
def test_what_is_no_command_is_explained(arguments, capsys):
    """Code 2 and the usage, as with every other command."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: eventlab" in capsys.readouterr().err


def test_stopping_what_does_not_run_is_nothing(name, capsys):
    """Item 31: a second `down`, or one of an unknown cluster."""
    for _ in range(2):
        assert main(["down", "--name", name]) == 0
        assert capsys.readouterr().out == "Nothing was running.\n"
    assert main(["down", "--name", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ended": []}


def test_what_does_not_run_is_said_not_to(name, capsys):
    """Item 31: asking is no error; wanting its logs is one."""
    assert main(["status", "--name", name]) == 0
    assert "not running" in capsys.readouterr().out
    assert main(["status", "--name", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"name": name, "state": "not running"}
    assert "not running" in refusal(capsys, "logs", "--name", name)


def test_the_doctor_sees_what_is_missing(home, capsys):
    """Item 5: an empty home, and what to type; looking fetches nothing."""
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert "NO  Kafka" in text
    assert "eventlab fetch" in text
    assert main(["doctor", "--json"]) == 1
    findings = {found["what"]: found for found in json.loads(capsys.readouterr().out)}
    assert findings["Java"]["well"]
    assert not findings["Kafka"]["well"]
    assert not (home / "kafka").exists()


def test_the_doctor_says_that_there_is_no_engine(home, monkeypatch, tmp_path):
    """It is nothing amiss: the embedded cluster needs none."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    found = doctor._docker()
    assert found.well
    assert "No Docker engine is running" in found.seen
    assert f"{tmp_path}/docker.sock" in found.seen


def test_the_doctor_names_what_is_ignored(home, monkeypatch):
    """Item 11: a variable that changes nothing is worth knowing of."""
    assert doctor._environment().seen == "clean"
    monkeypatch.setenv("JMX_PORT", "9999")
    assert doctor._environment().seen == "JMX_PORT set, and kept from the brokers"


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [("EVENTLAB_JAVA_HOME", "nowhere", "Java"), ("EVENTLAB_KAFKA_HOME", "nowhere", "Kafka")],
)
def test_the_doctor_survives_what_is_wrong(name, text, what, home, monkeypatch, capsys):
    """Items 3 and 5: it is asked exactly when something is."""
    monkeypatch.setenv(name, text)
    assert main(["doctor", "--json"]) == 1
    findings = {found["what"]: found for found in json.loads(capsys.readouterr().out)}
    assert not findings[what]["well"]
    assert findings[what]["fix"]


def test_jupyterlab_listens_where_it_is_told(tmp_path):
    """On 127.0.0.1, unless somebody names another address: a container has to."""
    options = parser().parse_args(["lab"])
    assert options.host == "127.0.0.1"
    assert "--ServerApp.ip=0.0.0.0" in lab._jupyterlab(tmp_path, "0.0.0.0", 8888, True)


def test_a_lab_on_a_taken_port_is_refused():
    """Item 17: JupyterLab would have ended in a traceback."""
    port = next(nodes.free_ports(Settings()))
    assert lab._port(port) == port
    for bad in (0, -1, 65536):
        with refused(PortInUse, bad):
            lab._port(bad)


def test_an_unknown_benchmark_names_the_known_ones(capsys):
    """A typo is answered with the list."""
    assert "'nonsense'" in refusal(capsys, "bench", "nonsense")


def test_an_installed_package_has_no_tests_to_run(tmp_path, monkeypatch):
    """What needs a checkout says so."""
    monkeypatch.setattr(checkout.eventlab, "__file__", str(tmp_path / "eventlab" / "__init__.py"))
    with refused(NotSupported, tmp_path, "checkout"):
        checkout.root()


def test_an_interrupt_is_no_traceback(monkeypatch, capsys):
    """Ctrl-C has a code of its own, and a sentence."""

    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "running", interrupted)
    assert main(["status"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_the_module_is_the_command():
    """`python -m eventlab` works where the script is not on the path; a closed pipe is no error."""
    command = [sys.executable, "-m", "eventlab"]
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60)
    assert done.stdout == f"eventlab {__version__}\n"
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        done = subprocess.run(
            [*command, "status"], stdout=closed, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert "Traceback" not in done.stderr
