"""What recording costs a producer and a consumer, and how fast a history is judged.

Compared: the same loop with and without recording, on one cluster, in turn, each on a topic of its
own: send records of 100 bytes with a key and wait for the last answer; poll them all; iterate over
them all. The judge is compared with a stable np.sort of 1e6 random int64 in the same process.
Fair: clients are made and know the topic before the clock runs; the histories that are judged have
all invariants to check (two producers, keys, a group of three, commits) and a final read of as
many records as were sent. A stable sort is the same algorithm on every machine; plain np.sort is
ten times as fast where a CPU has AVX-512, and is shown without a goal. The memory is the peak of a
process that judges 1e7 sends and reads, histories included.
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import figures
import numpy as np
from figures import Figure, Numbers
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from eventlab import history
from eventlab.cluster import launch, ready, topics
from eventlab.errors import StartFailed
from eventlab.history import files
from eventlab.history.judge import judge
from eventlab.history.tables import (
    COMMIT,
    OK,
    WIDTHS,
    Events,
    Evidence,
    Log,
    Process,
    Reads,
    Sends,
)
from eventlab.waiting import Deadline

RECORDS = 50_000
PARTITIONS = 3
POLL = 500  # records that a poll returns, kafka-python's default
KEYS = [b"customer-%d" % number for number in range(1_000)]
VALUES = [b"%0100d" % number for number in range(RECORDS)]


def measure(runs: int) -> list[Figure]:
    launch.requirements()
    with figures.cluster() as state:
        sides = {side: _loops(state["bootstrap_servers"], side) for side in ("plain", "recorded")}
        seen = figures.interleaved(runs, **sides)
    judged = figures.interleaved(runs, judge=judge_run)["judge"]
    large = large_run()

    def recorded(what: str, loop: str, goal: float | None) -> Figure:
        with_, without = (figures.median(seen[side], loop) for side in ("recorded", "plain"))
        return Figure(f"recording: {what}", with_, "us a record", goal, without)

    def against(what: str, name: str, goal: float | None, yardstick: str = "stable") -> Figure:
        sort = figures.median(judged, yardstick)
        return Figure(what, figures.median(judged, name), "s", goal, sort)

    return [
        recorded("send with acks=all, RF 3", "send", 1.03),
        recorded("poll", "poll", 1.03),
        recorded("iterate", "iterate", None),
        Figure("recording: a send", figures.most(seen["recorded"], "send bytes"), "bytes", 72),
        Figure("recording: a read", figures.most(seen["recorded"], "read bytes"), "bytes", 72),
        against("judge 1e6 + 1e6, against a stable sort of 1e6", "judge", 5),
        against("judge 1e6 + 1e6, against np.sort of 1e6", "judge", None, "sort"),
        against("load 1e6 + 1e6 from a file, against a stable sort", "load", 25),
        Figure(
            "judge 1e7 + 1e7, against a stable sort of 1e6",
            large["judge"],
            "s",
            60,
            figures.median(judged, "stable"),
        ),
        Figure("judge 1e7 + 1e7, peak memory", large["memory"], "GiB", 2),
    ]


def _loops(bootstrap_servers: str, side: str) -> Callable[[], Numbers]:
    """Return a run of the loops, with recording or without."""

    def loops() -> Numbers:
        run, topic = history.record("bench"), f"{side}-{time.monotonic_ns()}"
        _create(bootstrap_servers, topic)

        def given(kind: str, client: Any) -> Any:
            return getattr(run, kind)(client) if side == "recorded" else client

        seconds = {
            "send": _send(bootstrap_servers, topic, given),
            "poll": _read(bootstrap_servers, topic, given, _poll),
            "iterate": _read(bootstrap_servers, topic, given, _iterate),
        }
        micro = {name: 1e6 * value / RECORDS for name, value in seconds.items()}
        return {**micro, **(_bytes(run) if side == "recorded" else {})}

    return loops


def _create(bootstrap_servers: str, topic: str) -> None:
    admin = ready.admin_client(bootstrap_servers, Deadline(30))
    try:
        admin.create_topics({topic: {"num_partitions": PARTITIONS, "replication_factor": 3}})
        topics.await_leaders(admin, topic, range(1, 4))
    finally:
        admin.close()


def _send(bootstrap_servers: str, topic: str, given: Callable[[str, Any], Any]) -> float:
    client = KafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", linger_ms=5)
    with given("producer", client) as producer:
        producer.partitions_for(topic)
        gc.collect()
        begun = time.perf_counter()
        for number in range(RECORDS):
            producer.send(topic, VALUES[number], KEYS[number % 1_000])
        producer.flush()
        return time.perf_counter() - begun


def _read(
    bootstrap_servers: str,
    topic: str,
    given: Callable[[str, Any], Any],
    loop: Callable[[Any], int],
) -> float:
    parts = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    client = KafkaConsumer(bootstrap_servers=bootstrap_servers, consumer_timeout_ms=10_000)
    with given("consumer", client) as consumer:
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        for part in parts:
            consumer.position(part)
        gc.collect()
        begun = time.perf_counter()
        if loop(consumer) != RECORDS:
            raise StartFailed("Not all records were read.", f"Of {topic}.", "Try again.")
        return time.perf_counter() - begun


def _poll(consumer: Any) -> int:
    read, deadline = 0, Deadline(60)
    while read < RECORDS and deadline.left:
        for records in consumer.poll(timeout_ms=1_000).values():
            read += len(records)
    return read


def _iterate(consumer: Any) -> int:
    for read, _ in enumerate(consumer, 1):
        if read == RECORDS:
            return read
    return 0


def _bytes(run: Any) -> Numbers:
    """Return what an operation took in the recorder's columns."""
    columns = [[sys.getsizeof(c) for c in _columns(r)] for r in run._recorders]
    sent, polled, iterated = (sum(sizes) / RECORDS for sizes in columns)
    return {"send bytes": sent, "read bytes": max(polled, iterated)}


def _columns(recorder: Any) -> Iterator[Any]:
    yield from (recorder._sends, recorder._answers, recorder._polls)
    yield from (recorder._offsets, recorder._checks)


def judge_run() -> Numbers:
    """Judge, save and load a history of 1e6 sends and 1e6 reads."""
    evidence = example(10**6)
    numbers = np.random.default_rng(1).integers(0, 2**62, 10**6)
    with tempfile.TemporaryDirectory(prefix="eventlab-bench-") as folder:
        path = Path(folder) / "example.npz"
        files.save(path, evidence, {"cluster_id": "", "topic_ids": {}})
        return {
            "stable": _seconds(lambda: np.sort(numbers, kind="stable")),
            "sort": _seconds(lambda: np.sort(numbers)),
            "judge": _seconds(lambda: _valid(evidence)),
            "load": _seconds(lambda: files.load(path)),
        }


def _valid(evidence: Evidence) -> None:
    verdict = judge(evidence)
    if not verdict.valid:
        raise StartFailed("The example is not judged valid.", str(verdict), "Mend the judge.")


def _seconds(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def large_run() -> Numbers:
    """Judge 1e7 sends and 1e7 reads in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--large"],
        capture_output=True,
        text=True,
        timeout=Deadline(600).seconds,
        check=True,
    )
    return dict(json.loads(done.stdout))


def large() -> None:
    """Print how long it takes to judge 1e7 sends and reads, and the memory of it all."""
    evidence = example(10**7)
    seconds = _seconds(lambda: _valid(evidence))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 2**30 if sys.platform == "darwin" else 2**20  # bytes there, KiB elsewhere
    print(json.dumps({"judge": seconds, "memory": peak / unit}))


def example(count: int) -> Evidence:
    """Return a valid history: two producers, 1,000 keys, a group of three that commits."""
    dice, start = np.random.default_rng(7), 10**18
    key = dice.integers(0, 1_000, count)
    part = key % PARTITIONS
    order = np.argsort(part, kind="stable")
    ends = np.bincount(part, minlength=PARTITIONS)
    offset = np.empty(count, np.int64)
    offset[order] = np.concatenate([np.arange(end) for end in ends])
    sends: dict[str, Any] = {
        "process": dice.integers(0, 2, count),
        "part": part,
        "offset": offset,
        "key": key,
        "seq": np.arange(count),
        "check": dice.integers(1, 2**32, count, dtype=np.uint32),
        "outcome": OK,
        "explicit": False,
        "txn": -1,
        "error": 0,
        "time": start + 1_000 * np.arange(count),
        "ended": start + 1_000 * np.arange(count) + 9,
    }
    logged = {name: sends[name][order] for name in ("part", "offset", "check")}
    polled = np.repeat(np.arange(PARTITIONS), -(-ends // POLL))
    first = np.concatenate([np.arange(0, end, POLL) for end in ends])
    polls = {
        "process": 2 + polled,
        "part": polled,
        "epoch": 1,
        "time": start + 10**12 + 10**6 * first,
        "count": np.minimum(POLL, ends[polled] - first),
    }
    told = np.argsort(polls["time"], kind="stable")[::10]  # every tenth poll is committed
    commits = {
        **{name: polls[name][told] for name in ("process", "part")},
        "number": (first + polls["count"])[told],
        "begun": polls["time"][told] + 1,
        "ended": polls["time"][told] + 2,
        "what": COMMIT,
        "outcome": OK,
        "error": 0,
    }
    edges = {"start": 0, "end": ends, "reached": ends, "compacted": False}
    safe = {"enable_idempotence": True}
    return Evidence(
        name="example",
        begun=start - 1,
        parts=[("orders", number) for number in range(PARTITIONS)],
        processes=[Process("p", None, safe)] * 2 + [Process("c", "billing", {})] * PARTITIONS,
        keys=[None] * 1_000,
        errors=[""],
        sends=Sends(**_table(Sends, sends)),
        reads=Reads(**_table(Reads, polls), **_table(Reads, logged, "offset", "check")),
        events=Events(**_table(Events, commits)),
        log=Log(
            **_table(Log, {**logged, "time": start // 10**6}, "part", "offset", "check", "time"),
            **_table(Log, edges, *edges),
            begun=2 * start,
        ),
    )


def _table(kind: Any, columns: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return columns as long as the longest of them, of the type that the table has."""
    count = max(np.size(column) for column in columns.values())
    return {
        name: np.broadcast_to(columns[name], count).astype(WIDTHS[kind][name])
        for name in names or columns
    }


if __name__ == "__main__":
    if sys.argv[1:] == ["--large"]:
        large()
    else:
        sys.exit(figures.main(__doc__, measure))
