"""What an import costs, and how soon a new kernel reads its first record.

Compared: `import eventlab`, and `from eventlab import Cluster`, against `import kafka`.
Fair: each in a fresh interpreter, runs in turn, timed inside it so that the interpreter's own
start, the same for all, does not dilute the ratio; bytecode is compiled beforehand.
The kernel is a real one, started as JupyterLab starts it, beside a cluster that is running.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import figures
from figures import Figure, Numbers
from jupyter_client.manager import KernelManager

from eventlab.cluster import launch
from eventlab.waiting import Deadline

STATEMENTS = {
    "eventlab": "import eventlab",
    "cluster": "from eventlab import Cluster",
    "kafka": "import kafka",
}
# Python itself tells of every process that is started and every connection that is opened.
_TIMED = """
import json, sys, time
begun_by_import = []
reaching_out = {"subprocess.Popen", "os.fork", "os.posix_spawn", "os.system", "socket.connect"}
sys.addaudithook(lambda name, _: name in reaching_out and begun_by_import.append(name))
begun = time.perf_counter()
exec(sys.argv[1])
seconds = time.perf_counter() - begun
print(json.dumps({"ms": seconds * 1000, "reached": len(begun_by_import)}))
"""
# What the first cells of a lesson do.
_LESSON = """
import json, time
from kafka import KafkaConsumer, KafkaProducer
from eventlab import Cluster

cluster = Cluster.start(name=NAME)
attached = time.time()
cluster.create_topic("first", partitions=3, replication_factor=3, fresh=True)
with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, acks="all") as producer:
    producer.send("first", key=b"C-1", value=b"an order").get(timeout=10)
with KafkaConsumer(
    "first",
    bootstrap_servers=cluster.bootstrap_servers,
    group_id="first",
    auto_offset_reset="earliest",
    consumer_timeout_ms=10_000,
) as consumer:
    assert next(consumer).value == b"an order"
    read = time.time()
print(json.dumps({"attached": attached, "read": read}))
"""


def measure(runs: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="eventlab-bench-") as compiled:
        sides = {name: importing(text, compiled) for name, text in STATEMENTS.items()}
        for compile_all in sides.values():
            compile_all()
        seen = figures.interleaved(runs, **sides)
    launch.requirements()
    with figures.cluster() as state:
        kernels = figures.interleaved(runs, kernel=lambda: kernel_run(state["name"]))["kernel"]
    kafka = figures.median(seen["kafka"], "ms")
    reached = max(figures.most(seen[name], "reached") for name in ("eventlab", "cluster"))
    return [
        *(
            Figure(f"{STATEMENTS[name]}, against import kafka", median, "ms", 1.5, kafka)
            for name in ("eventlab", "cluster")
            if (median := figures.median(seen[name], "ms"))
        ),
        Figure("processes and connections begun by an import", reached, "events", 0),
        Figure("cluster attached to first record read", figures.median(kernels, "read"), "s", 1.0),
        Figure("new kernel to first record read", figures.median(kernels, "all"), "s"),
    ]


def importing(statement: str, compiled: str) -> Callable[[], Numbers]:
    """Return what runs a statement in a fresh interpreter and says how long it took there."""
    environ = os.environ | {"PYTHONPYCACHEPREFIX": compiled}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)

    def run() -> Numbers:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _TIMED, statement],
            env=environ,
            check=True,
            capture_output=True,
            timeout=Deadline(60).seconds,
        )
        numbers: Numbers = json.loads(done.stdout)
        return numbers

    return run


def kernel_run(cluster: str) -> Numbers:
    """Start a kernel, run the lesson in it, and say when the first record was read."""
    manager = KernelManager()
    deadline = Deadline(60)
    begun = time.time()  # the kernel's clock is another process's, so wall time it is
    manager.start_kernel()
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=deadline.left)
        told = printed(client, f"NAME = {cluster!r}\n{_LESSON}", deadline)
        times = json.loads(told)
        return {"read": times["read"] - times["attached"], "all": times["read"] - begun}
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def printed(client: Any, code: str, deadline: Deadline) -> str:
    """Run code in a kernel; return what it printed, RuntimeError with what it raised."""
    texts: list[str] = []

    def collect(message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            texts.append(content["text"])

    reply = client.execute_interactive(code, timeout=deadline.left, output_hook=collect)
    if reply["content"]["status"] != "ok":
        raise RuntimeError("\n".join(reply["content"].get("traceback", ["The cell failed."])))
    return "".join(texts)


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, measure))
