"""Histories that are told rather than run: who did what, and what the log held in the end.

A story records through the recorder that every client uses; only the final read is written by
hand. Its clock goes one millisecond a step, so that every step has a time of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from eventlab import history
from eventlab.history.judge import judge
from eventlab.history.judge.verdict import Verdict
from eventlab.history.names import checksum
from eventlab.history.recorder import Recorder
from eventlab.history.tables import Evidence, Log

SAFE = {"enable_idempotence": True, "max_in_flight_requests_per_connection": 5}
Part = tuple[str, int]
P0, P1 = ("orders", 0), ("orders", 1)


@dataclass
class Written:
    """A record of the log."""

    offset: int
    key: bytes | None
    value: bytes | None
    time: int


@dataclass
class Story:
    """A run, a clock, and the log that the final read will find."""

    run: Any = field(default_factory=lambda: history.record("story"))
    logs: dict[Part, list[Written]] = field(default_factory=dict)
    starts: dict[Part, int] = field(default_factory=dict)
    ends: dict[Part, int] = field(default_factory=dict)
    reached: dict[Part, int] = field(default_factory=dict)
    compacted: bool = False
    unread: tuple[str, ...] = ()
    steps: int = 0

    def tick(self) -> int:
        """Return the time of the next step."""
        self.steps += 1
        return self.run._begun + self.steps * 1_000_000

    def producer(self, name: str = "producer", **settings: Any) -> Recorder:
        """Return a producer, an idempotent one unless told otherwise."""
        return self.run.recorder(name, **{**SAFE, **settings})

    def consumer(self, group: str | None = "billing", **settings: Any) -> Recorder:
        """Return a consumer of a group."""
        return self.run.recorder("consumer", group, **settings)

    def write(self, part: Part, value: bytes | None, key: bytes | None = b"k", gap: int = 0) -> int:
        """Put a record at the end of the log, after a gap; return its offset."""
        offset = self.ends.get(part, 0) + gap
        time = (self.run._begun + self.steps * 1_000_000) // 1_000_000
        self.logs.setdefault(part, []).append(Written(offset, key, value, time))
        self.ends[part] = offset + 1
        return offset

    def send(
        self, by: Recorder, value: bytes, part: Part = P0, key: bytes | None = None, **more: Any
    ) -> int:
        """Send, write and acknowledge; return the offset."""
        send = by.sent(part[0], key, value, at=self.tick(), **more)
        offset = self.write(part, value, key)
        by.acked(send, part[1], offset, at=self.tick())
        return offset

    def sends(self, by: Recorder, count: int, part: Part = P0) -> None:
        """Send so many records of different values."""
        for number in range(count):
            self.send(by, b"%d" % number, part)

    def poll(self, by: Recorder, offsets: Iterable[int], part: Part = P0) -> None:
        """Let a consumer be given the records at these offsets."""
        at = {record.offset: record for record in self.logs.get(part, [])}
        for offset in offsets:
            record = at[offset]
            by.read(*part, offset, record.key, record.value, at=self.tick())

    def own(self, by: Recorder, generation: int = 1, parts: Iterable[Part] = (P0,)) -> None:
        """Let a consumer be assigned partitions."""
        by.assigned(parts, generation, at=self.tick())

    def log(self) -> Log:
        """Return what the final read found."""
        names = self.run._names
        for part in self.logs:
            names.part(*part)
        numbers = [part for part in names.parts if part[1] >= 0]
        rows = [
            (names.part(*part), record)
            for part in sorted(numbers, key=lambda part: names.part(*part))
            for record in sorted(self.logs.get(part, []), key=lambda record: record.offset)
        ]
        ends = [self.ends.get(part, 0) for part in names.parts]
        reached = [self.reached.get(part, self.ends.get(part, 0)) for part in names.parts]
        rows = [row for row in rows if row[1].offset < reached[row[0]]]
        return Log(
            part=np.array([part for part, _ in rows], np.int32),
            offset=np.array([record.offset for _, record in rows], np.int64),
            check=np.array([checksum(r.key, r.value) for _, r in rows], np.uint32),
            time=np.array([record.time for _, record in rows], np.int64),
            start=np.array([self.starts.get(part, 0) for part in names.parts], np.int64),
            end=np.array(ends, np.int64),
            reached=np.array(reached, np.int64),
            begun=self.tick(),
            compacted=np.full(len(names.parts), self.compacted),
            unread=self.unread,
        )

    def evidence(self) -> Evidence:
        """Return the whole story."""
        log = self.log()
        return replace(self.run._evidence(), log=log)

    def judge(self, **rules: Any) -> Verdict:
        """Judge the story."""
        return judge(self.evidence(), **rules)


def anomalies(verdict: Verdict) -> dict[str, int]:
    """Return the anomalies that are not allowed, with their counts."""
    table = verdict.table
    bad = table[table["allowed"] == ""]
    return dict(zip(bad["anomaly"], bad["count"], strict=True))


def allowed(verdict: Verdict) -> dict[str, int]:
    """Return the anomalies that are allowed, with their counts."""
    table = verdict.table
    good = table[table["allowed"] != ""]
    return dict(zip(good["anomaly"], good["count"], strict=True))
