"""The image of the Dockerfile: JupyterLab with a cluster, and the order system, as containers."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request

import pytest

from eventlab.waiting import wait_until
from tests.conftest import PREFIX

NAME = f"{PREFIX}-image"


def docker(*arguments, code=0):
    """Run a command of docker; return what it printed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def lab(eventlab_image):
    """Return the address of JupyterLab in a container, which is gone after the test."""
    docker("run", "--detach", "--name", NAME, "--publish", "127.0.0.1::8888", eventlab_image)
    try:
        yield f"http://{docker('port', NAME, '8888').splitlines()[0]}"
    finally:
        docker("rm", "--force", "--volumes", NAME)


def answers(url):
    try:
        return urllib.request.urlopen(f"{url}/api", timeout=5).status == 200
    except OSError:
        return False


def cluster():
    """Return the state of the cluster in the container."""
    return json.loads(docker("exec", NAME, "eventlab", "status", "--json"))


def running():
    state = cluster()
    nodes = state.get("nodes", ())
    return len(nodes) == 4 and all(node["state"] == "running" for node in nodes)


def test_a_container_has_jupyterlab_and_a_cluster_without_a_network(lab):
    """Nothing is fetched or prepared at its start; no root; it ends at once, and in order."""
    wait_until(lambda: answers(lab), 60, "JupyterLab did not answer.", every=0.2)
    wait_until(running, 60, "The cluster did not start.", every=0.5)
    assert docker("exec", NAME, "id", "--user") == "1000\n"
    files = docker("exec", NAME, "ls", "notebooks", "data").split()
    assert {"00_first_light.ipynb", "orders.csv"} <= set(files)
    said = subprocess.run(["docker", "logs", NAME], capture_output=True, text=True, timeout=30)
    assert not re.search("Fetching|Preparing", said.stdout + said.stderr)
    begun = time.monotonic()
    docker("stop", "--time", "30", NAME)
    assert time.monotonic() - begun < 15
    assert docker("inspect", "--format", "{{.State.ExitCode}}", NAME) == "0\n"


def test_a_command_is_given_whole_and_needs_no_disk(eventlab_image):
    """As in a pod: a read-only root, no rights, one folder in memory."""
    poor = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    home = ["--tmpfs", "/var/tmp", "--env", "EVENTLAB_HOME=/var/tmp/eventlab"]
    run = ["run", "--rm", "--network", "none", *poor, *home, eventlab_image, "eventlab", "orders"]
    assert "EVENTLAB_STORE" in docker(*run, "subscribe", "--help")
    docker(*run, "relay", "--servers", "127.0.0.1:1", "--store", "/var/tmp/shop.db", code=1)
