"""Start, memory, idle CPU and end of the cluster, against one stock Kafka broker.

Compared: one controller and three brokers, started as `Cluster.start()` starts them on a prepared
machine, and one combined node started as Kafka's quickstart starts it: its own format step, its
own heap and collector, its own server.properties, no cache.
Fair: both are timed from nothing on disk to the same point, asked by the same code (every broker
unfenced, a group coordinator answers, a topic with as many replicas as there are brokers); the
same jars and Java, runs in turn; the shell scripts' own time is not counted against the stock
broker. It logs as ours does, but wakes Log4j 2 as Kafka's own does. Memory and CPU are those of
the JVMs once they have calmed down.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import figures
from figures import Figure, Numbers

from eventlab.cluster import jars, java, jvm, launch, process, ready, storage
from eventlab.cluster.nodes import CLIENT, CONTROLLER, layout
from eventlab.cluster.settings import Settings
from eventlab.waiting import Deadline, wait_until

WINDOW = 10.0  # seconds of idling
CALM = 0.3  # of one core: below that a JVM has done what a start left to do

# bin/kafka-server-start.sh, bin/kafka-storage.sh and bin/kafka-run-class.sh of Kafka 4
_STOCK_HEAP = ("-Xmx1G", "-Xms1G")
_TOOL_HEAP = ("-Xmx256M",)
_STOCK_FLAGS = (
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
)
# config/server.properties of Kafka 4, on loopback and free ports
_STOCK_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=data
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
"""


def measure(runs: int) -> list[Figure]:
    launch.requirements()  # a prepared machine
    seen = figures.interleaved(runs, cluster=cluster_run, stock=stock_run)
    ours, stock = seen["cluster"], seen["stock"]

    def against_stock(what: str, name: str, unit: str, goal: float) -> Figure:
        return Figure(what, figures.median(ours, name), unit, goal, figures.median(stock, name))

    return [
        against_stock("1 + 3 nodes ready, against one stock broker", "seconds", "s", 0.75),
        against_stock("PSS of 1 + 3 nodes, idle, against one stock broker", "pss", "MB", 1.6),
        Figure("CPU of 1 + 3 nodes, idle", figures.median(ours, "cpu"), "% of a core", 15),
        Figure("down", figures.median(ours, "down"), "s", 2),
        Figure("brokers left when the controller ended", figures.most(ours, "left"), "brokers", 0),
    ]


def cluster_run() -> Numbers:
    """Start the cluster, let it idle, end it."""
    begun = time.monotonic()
    with figures.cluster() as state:
        figures.create_topic(state["bootstrap_servers"], "bench", replicas=3)
        seconds = time.monotonic() - begun
        pids = figures.pids(state)
        return {"seconds": seconds, **idle(pids), **end(state["name"], pids)}


def stock_run() -> Numbers:
    """Format and start one stock broker, let it idle, end it."""
    with stock_folder() as (folder, port):
        begun = time.monotonic()
        format_stock(folder)
        with stock_broker(folder, port) as pid:
            ready.await_service(f"127.0.0.1:{port}", 1, Deadline(60))
            figures.create_topic(f"127.0.0.1:{port}", "bench", replicas=1)
            return {"seconds": time.monotonic() - begun, **idle([pid])}


def idle(pids: Sequence[int]) -> Numbers:
    """Return memory in MB, and CPU in percent of one core over the window, of idle JVMs."""
    wait_until(lambda: _load(pids, 1.0) < CALM * len(pids), 60, "The JVMs did not calm down.")
    load = _load(pids, WINDOW)
    return {**figures.memory(pids), "cpu": 100 * load}


def _load(pids: Sequence[int], seconds: float) -> float:
    """Return how many cores these processes keep busy over so many seconds."""
    begun, used = time.monotonic(), figures.cpu_seconds(pids)
    wait_until(lambda: time.monotonic() - begun >= seconds, seconds + 10, "Time stood still.")
    return (figures.cpu_seconds(pids) - used) / (time.monotonic() - begun)


def end(name: str, pids: Sequence[int]) -> Numbers:
    """End the cluster as `down` does; return how long it took and which brokers came last."""
    controller, *brokers = pids
    left: list[int] = []

    def controller_ended() -> bool:
        if figures.alive([controller]):
            return False
        left.append(figures.alive(brokers))
        return True

    begun = time.monotonic()
    ending = threading.Thread(target=launch.end, args=(name,))
    ending.start()
    try:
        wait_until(controller_ended, 60, "The controller did not end.", every=0.005)
    finally:
        ending.join()
    return {"down": time.monotonic() - begun, "left": left[0]}


@contextmanager
def stock_folder() -> Iterator[tuple[Path, int]]:
    """Write the properties of a stock node into a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="eventlab-bench-"))
    try:
        (node,) = layout(Settings(profile="small").resolved())
        client, controller = node.port(CLIENT), node.port(CONTROLLER)
        text = _STOCK_PROPERTIES.format(client=client, controller=controller)
        (folder / "server.properties").write_text(text, "ascii")
        yield folder, client or 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def format_stock(folder: Path) -> None:
    """Run Kafka's own format step, a JVM of its own."""
    options = ["format", "--standalone", "-t", storage.random_id(), "-c", "server.properties"]
    subprocess.run(
        stock_command(_TOOL_HEAP, "kafka.tools.StorageTool", *options),
        cwd=folder,
        env=jvm.environ(),
        check=True,
        capture_output=True,
        timeout=Deadline(60).seconds,
    )


@contextmanager
def stock_broker(folder: Path, port: int) -> Iterator[int]:
    """Start the stock broker, yield its pid when it accepts connections, kill it."""
    command = stock_command(_STOCK_HEAP, jvm.MAIN, "server.properties")
    broker = process.spawn(command, folder, jvm.environ())
    try:
        wait_until(
            lambda: ready.accepts(port) or broker.poll() is not None,
            60,
            "The stock broker did not start.",
            every=0.01,
        )
        yield broker.pid
    finally:
        broker.kill()
        broker.wait()


def stock_command(heap: Sequence[str], main: str, *arguments: str) -> list[str]:
    """Return the line that Kafka's scripts come to."""
    runtime, kafka = java.find(), jars.find()
    ours = jvm.command(runtime, kafka, "1G", None)
    logging = [flag for flag in ours if flag.startswith(("-Dorg.slf4j", "-Dlog4j2"))]
    class_path = ours[ours.index("-cp") + 1]
    line = [str(runtime.executable), *heap, *_STOCK_FLAGS, *logging, "-cp", class_path]
    return [*line, main, *arguments]


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, measure))
