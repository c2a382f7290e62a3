"""The judge of what clients did: a recorded history, and a verdict that names what went wrong.

    run = history.record("orders-run")
    producer = run.producer(KafkaProducer(bootstrap_servers=cluster.bootstrap_servers))
    consumer = run.consumer(KafkaConsumer("orders", group_id="billing", ...))
    ...                                  # they stay the objects they are
    verdict = run.verify()               # valid, invalid or unknown, and what, which and where next
    verdict.witnesses("duplicate")
    charts.anomalies(verdict.records())  # where in the log

Recording: `recorder` keeps columns (`names`, `tables`), `producers` and `consumers` fill them for
kafka-python, `freeze` makes tables of them. Judging: `final` reads the log, `judge` compares, and
`disks` looks where something is missing. `frames` and `files` are for looking at it, and keeping.
The invariants I1 to I14 and their names are those of `judge`; the method is that of Jepsen's
checker for Kafka (jepsen.tests.kafka): sends end ok, fail or info, and the log decides.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eventlab.history.arguments import EFFECT
from eventlab.history.recorder import Recorder
from eventlab.history.run import Run

__all__ = ["EFFECT", "Recorder", "Run", "load", "record"]


def record(name: str, cluster: Any = None) -> Run:
    """Begin a history; give it the clients whose deeds shall be evidence.

    `cluster` is where the final read is made; without it, where the first client is connected to.
    """
    return Run(name, cluster)


def load(path: str | Path, cluster: Any = None) -> Run:
    """Return a history that was saved; with a cluster, `verify` reads that cluster's log anew.

    HistoryUnreadable when the file is none, or is damaged.
    """
    from eventlab.history import files

    evidence, about = files.load(Path(path))
    return Run(evidence.name, cluster)._hold(evidence, about)
