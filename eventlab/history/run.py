"""A run: the clients that are recorded, what they did as frames, the verdict, the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from threading import get_ident
from time import time_ns
from typing import TYPE_CHECKING, Any, TypeVar

from eventlab.errors import InvalidSetting, shown
from eventlab.history import arguments
from eventlab.history.names import Names
from eventlab.history.recorder import Recorder
from eventlab.history.tables import Evidence, Log
from eventlab.waiting import seconds

if TYPE_CHECKING:
    import pandas as pd

    from eventlab.history.judge.verdict import Verdict

Client = TypeVar("Client")


class Run:
    """What the clients of a run did, from the moment each was given to it.

        run = history.record("orders-run")
        producer = run.producer(KafkaProducer(bootstrap_servers=...))    # the same object
        consumer = run.consumer(KafkaConsumer("orders", group_id="billing", ...))
        ...
        verdict = run.verify()

    Records are not touched: one is known by its key and value, and by its offset once it is
    acknowledged. Nothing of a run keeps a client alive.
    """

    def __init__(self, name: str, cluster: Any = None) -> None:
        self.name, self._cluster = arguments.name(name), arguments.cluster(cluster)
        self._begun = time_ns()
        self._names = Names()
        self._recorders: list[Recorder] = []
        self._faults: Recorder | None = None
        self._told: set[tuple[str, ...]] = set()
        self._address: dict[str, Any] = {}
        self._cluster_id = ""
        self._loaded: Evidence | None = None
        self._log: Log | None = None

    def producer(self, producer: Client) -> Client:
        """Record what a KafkaProducer sends from now on; return the same object."""
        from kafka import KafkaProducer

        from eventlab.history import attach

        arguments.client(producer, KafkaProducer, "run.producer")
        attach.producer(self, producer)
        return producer

    def consumer(self, consumer: Client) -> Client:
        """Record what a KafkaConsumer reads, commits and owns from now on; return the same object.

        Give it before it polls: what it read before is not known.
        """
        from kafka import KafkaConsumer

        from eventlab.history import attach

        arguments.client(consumer, KafkaConsumer, "run.consumer")
        attach.consumer(self, consumer)
        return consumer

    def recorder(self, client: str, group_id: str | None = None, **settings: Any) -> Recorder:
        """Return a recorder, to be told what some other client does.

        `settings` are those that rules depend on, under kafka-python's names, such as
        enable_idempotence=True.
        """
        used = [recorder.client for recorder in self._recorders]
        number = 1 + sum(name == client or name.startswith(f"{client} ") for name in used)
        title = client if number == 1 else f"{client} {number}"
        self._recorders.append(Recorder(self._names, title, group_id, **settings))
        return self._recorders[-1]

    def handled(
        self, record: Any, error: BaseException | str | None = None, by: Any = None
    ) -> None:
        """Record that the effect of a record was done; with an error, that it was not.

        `by` is the consumer that read it; without it, the one that this thread polled last.
        """
        reader = self._reader(by)
        reader.handled(record.topic, record.partition, record.offset, error)

    def faults(self, frame: pd.DataFrame) -> None:
        """Record faults: a frame of start, end (NaT while one is on), fault and target.

        It may be given again when it has grown.
        """
        from eventlab.history import marks

        self._faults = self._faults or self.recorder("faults")
        marks.faults(self._faults, frame, self._told)

    def operations(self) -> pd.DataFrame:
        """Return everything that was recorded, in the order of time.

        Columns: op, process (a thread of a client), client, group_id, type (invoke, ok, fail,
        info), f (send, poll, seek, commit, assign, revoke, handle, fault, heal, txn), topic,
        partition, offset, event_id, key_id, producer_seq, generation, time, error. -1 and "" are
        for none; a seek to the beginning is to -2, to the end to -1.
        """
        from eventlab.history import frames

        return frames.operations(self._evidence())

    def sends(self) -> pd.DataFrame:
        """Return a row for each send, in the order of time.

        Columns: op, process, client, type (ok, fail, info; invoke while nothing came back), topic,
        partition, offset, event_id, key_id, producer_seq, time, answered, error.
        """
        from eventlab.history import frames

        return frames.sends(self._evidence())

    def reads(self) -> pd.DataFrame:
        """Return a row for each record that was read, in the order of reading.

        Columns: process, client, topic, partition, offset, event_id (of its send; -1 for one that
        is not known), key_id, producer (the process that sent it) and producer_seq (its place among
        all that this one sent), -1 where the send is not known, time.
        """
        from eventlab.history import frames

        return frames.reads(self._evidence())

    def assignments(self) -> pd.DataFrame:
        """Return a row for each time that a client got a partition, or gave it up.

        Columns: time, process, client, topic, partition, owned (whether it has it from then on),
        generation (of the group; -1 where it is given up, or was never the group's to give).
        A client that is killed gives nothing up: it ends with a fault that has killed, stopped,
        crashed or closed it (its name as target), else when its group has given the partition to
        another, but not before the last thing that it did to the partition.
        """
        from eventlab.history import frames

        return frames.assignments(self._evidence())

    def verify(
        self,
        *,
        allow: Iterable[str] = (),
        forbid: Iterable[str] = (),
        effects: pd.DataFrame | None = None,
        within: float = 60.0,
        progress: float = 30.0,
    ) -> Verdict:
        """Read the log with a fresh client, and judge the run by it: valid, invalid or unknown.

        Anomalies in `allow` do not count, those in `forbid` do; what is in neither follows from
        the clients' settings. `effects` has a row for each effect in a database, with the topic,
        partition and offset of its record. `within` are the seconds that the final read may take,
        `progress` those from the end of a fault to the next acknowledgement.
        HistoryMismatch when the cluster is another than the one that was recorded.
        """
        from eventlab.history import verify
        from eventlab.history.judge.anomalies import known

        rules: dict[str, Any] = {
            "allow": known(allow, "allow="),
            "forbid": known(forbid, "forbid="),
        }
        rules["progress"] = seconds("progress", progress)
        return verify.verify(self, seconds("within", within), effects, rules)

    def save(self, path: str | Path | None = None) -> Path:
        """Write the run, with its last final read, to a file; return its path.

        Without a path it is the run's name, with .npz, in the current folder.
        """
        from eventlab.history import files

        target = Path(path or f"{self.name}.npz")
        about = {"cluster_id": self._cluster_id, "topic_ids": self._names.topic_ids}
        files.save(target, self._evidence(), about)
        return target

    def _hold(self, evidence: Evidence, about: dict[str, Any]) -> Run:
        """Be a run that was loaded."""
        self._loaded, self._log = evidence, evidence.log
        self._cluster_id = str(about["cluster_id"])
        self._names.topic_ids.update(about["topic_ids"])
        for part in evidence.parts:
            self._names.part(*part)
        return self

    def _reader(self, by: Any) -> Recorder:
        """Return the recorder of the consumer that read what was handled."""
        from eventlab.history.attach import recorder_of

        found = by if isinstance(by, Recorder) else recorder_of(by)
        if found is not None:
            return found
        here = [reader for reader in self._recorders if reader.thread == get_ident()]
        readers = here or [reader for reader in self._recorders if reader.thread]
        if len(readers) == 1 and by is None:
            return readers[0]
        raise InvalidSetting(
            "Nobody knows who read the record that was handled.",
            f"You gave by={shown(by)}, and {len(readers)} clients may have read it.",
            "Pass the consumer: run.handled(record, by=consumer).",
        )

    def _evidence(self, log: Log | None = None) -> Evidence:
        """Return what was recorded so far, with the last final read."""
        from eventlab.history.freeze import freeze

        self._log = log or self._log
        if self._loaded:
            return replace(self._loaded, parts=list(self._names.parts), log=self._log)
        for recorder in self._recorders:
            recorder.settle()
        return freeze(self.name, self._begun, self._names, self._recorders, self._log)

    def __repr__(self) -> str:
        if self._loaded:
            counts = len(self._loaded.sends.part), len(self._loaded.reads.offset)
        else:
            each = [(len(r._sends) // 4, len(r._offsets)) for r in self._recorders]
            counts = sum(sent for sent, _ in each), sum(read for _, read in each)
        return f"<Run {self.name} · {counts[0]:,} sends · {counts[1]:,} reads>"
