"""A cluster lives as long as somebody holds it, however its owners end.

Each claim is tried through jupyter_client with real kernels, as JupyterLab runs them, many times.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from jupyter_client.manager import KernelManager

from eventlab.cluster import launch, registry
from eventlab.waiting import wait_until
from tests.conftest import nothing_left

# Every night it is 20 times: TIMES=20 pytest tests/live/test_owners.py
TIMES = int(os.environ.get("TIMES", "5"))
ENDS_WITHIN = 10  # seconds after the end of the last owner


class Notebook:
    """A kernel of its own, as a notebook has one."""

    def __init__(self) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str) -> str:
        """Run a cell and return what it printed; an error of the cell fails the test."""
        printed: list[str] = []
        reply = self.client.execute_interactive(
            code,
            timeout=120,
            output_hook=lambda m: printed.append(m["content"].get("text", "")),
        )
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(printed).strip()

    def reply_to(self, request: str) -> dict:
        """Return the content of the answer to this request; older answers are skipped."""
        while True:
            reply = self.client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == request:
                return reply["content"]

    def restart(self) -> None:
        self.manager.restart_kernel(now=False)
        self.client.wait_for_ready(timeout=60)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@contextmanager
def notebook() -> Iterator[Notebook]:
    opened = Notebook()
    try:
        yield opened
    finally:
        opened.close()


def start(name: str) -> str:
    return f"from eventlab import Cluster\ncluster = Cluster.start({name!r}, profile='small')"


def pids(name: str) -> list[int]:
    state = registry.running(name)
    assert state is not None
    return [node["pid"] for node in state["nodes"]]


@pytest.mark.parametrize("time_", range(TIMES))
def test_a_killed_kernel_leaves_nothing(name, time_):
    """SIGKILL of the kernel, 20 times: no JVM, no supervisor, no folder, no port within 10 s."""
    with notebook() as learner:
        learner.run(start(name))
        state = registry.running(name)
        kernel = learner.manager.provisioner.pid
        os.kill(kernel, signal.SIGKILL)
        began = time.monotonic()
        wait_until(lambda: nothing_left(name), 2 * ENDS_WITHIN, "Something is left.")
        assert time.monotonic() - began < ENDS_WITHIN
        listening = {c.laddr[1] for c in psutil.net_connections("tcp") if c.status == "LISTEN"}
        assert not listening & {int(n["address"].split(":")[1]) for n in state["nodes"]}


def test_a_restarted_kernel_finds_the_same_cluster_and_data(name):
    """Restart kernel, 20 times: the same processes, and every record sent before is there."""
    with notebook() as learner:
        learner.run(start(name))
        before = pids(name)
        learner.run("cluster.create_topic('orders', partitions=1)")
        for number in range(TIMES):
            send = (
                "from kafka import KafkaProducer\n"
                "with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer:\n"
                f"    producer.send('orders', value=b'{number}').get(timeout=10)"
            )
            learner.run(send)
            learner.restart()
            # Longer than a cluster without an owner would live: the restarted kernel holds it.
            if number == 0:
                _outlive_the_grace(name)
            learner.run(start(name))
            assert pids(name) == before
        counted = learner.run(
            "from kafka import KafkaConsumer, TopicPartition\n"
            "with KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers) as consumer:\n"
            "    print(consumer.end_offsets([TopicPartition('orders', 0)]))"
        )
        assert counted.endswith(f"{TIMES}}}")
    wait_until(lambda: nothing_left(name), 2 * ENDS_WITHIN, "Something is left.")


def _outlive_the_grace(name: str) -> None:
    end = time.monotonic() + 6
    wait_until(lambda: time.monotonic() > end or not registry.running(name), 10, "Time stopped.")
    assert registry.running(name)


def test_an_interrupted_kernel_keeps_serving(name):
    """Interrupt kernel, 20 times, which signals its whole process group: all brokers serve on."""
    with notebook() as learner:
        learner.run(start(name))
        learner.run("cluster.create_topic('orders', partitions=1)")
        before = pids(name)
        for _ in range(TIMES):
            busy = learner.client.execute(
                "import threading; print('begun', flush=True); threading.Event().wait(60)"
            )
            wait_until(lambda: _has_begun(learner), 30, "The cell did not begin.")
            learner.manager.interrupt_kernel()
            assert learner.reply_to(busy)["ename"] == "KeyboardInterrupt"
            assert learner.run("print(cluster.brokers[1].state)") == "running"
        assert pids(name) == before
        assert "orders" in learner.run("print(cluster.admin.list_topics())")


def _has_begun(learner: Notebook) -> bool:
    """Say whether the cell itself has spoken: before it runs, an interrupt is the kernel's own."""
    message = learner.client.get_iopub_msg(timeout=10)
    return "begun" in message["content"].get("text", "")


def test_an_interrupted_start_leaves_nothing(name):
    """Ctrl-C while the cluster starts: the start is undone, and the next one works."""
    with notebook() as learner:
        starting = learner.client.execute(start(name))
        wait_until(lambda: registry.running(name), 60, "The start did not begin.")
        learner.manager.interrupt_kernel()
        assert learner.reply_to(starting)["ename"] == "KeyboardInterrupt"
        assert nothing_left(name)
        learner.run(start(name))


def test_the_last_of_two_notebooks_ends_it(name):
    """Two notebooks share a cluster; it outlives the first and ends with the second."""
    with notebook() as one, notebook() as two:
        one.run(start(name))
        two.run(start(name))
        one.run("cluster.stop()")
        assert "still running for 1 other" in one.run("print(cluster)")
        assert two.run("print(cluster.brokers[1].state)") == "running"
        two.run("cluster.stop()")
        assert nothing_left(name)


def test_a_killed_supervisor_is_swept(name):
    """SIGKILL of the supervisor: on Linux its JVMs end with it; the next start sweeps the rest."""
    with notebook() as learner:
        learner.run(start(name))
        state = registry.running(name)
        os.kill(state["supervisor"], signal.SIGKILL)
        learner.run(start(name))
        assert pids(name) != [node["pid"] for node in state["nodes"]]
        for node in state["nodes"]:
            wait_until(lambda pid=node["pid"]: not psutil.pid_exists(pid), 5, "A JVM is left.")


def test_racing_starts_end_in_one_cluster(name):
    """Two processes start the same name at once, 10 times: one starts it, the other attaches."""
    code = f"{start(name)}\nprint(cluster.status()['supervisor'], flush=True)\ninput()"
    for _ in range(10):
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for _ in range(2)
        ]  # fmt: skip
        told = [racer.stdout.readline().strip() for racer in racers]
        assert told[0] == told[1] != ""
        for racer in racers:
            racer.kill()
            racer.communicate()
        launch.end(name)
        assert nothing_left(name)


def test_up_stays_until_down(name):
    """`eventlab up` leaves a cluster running after it has ended; `down` ends it."""
    run = [sys.executable, "-m", "eventlab"]
    subprocess.run([*run, "up", "--name", name, "--profile", "small"], check=True, timeout=120)
    end = time.monotonic() + 6  # longer than the grace
    wait_until(lambda: time.monotonic() > end or not registry.running(name), 10, "Time stopped.")
    assert registry.running(name)["kept"]
    subprocess.run([*run, "down", "--name", name], check=True, timeout=60)
    assert nothing_left(name)
