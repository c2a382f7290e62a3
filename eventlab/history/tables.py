"""What was recorded, in columns of numbers: all that the judge knows.

Partitions, processes, keys and errors are numbers here; `Evidence` has their names. A process is
one thread of one client: what it does has an order, what two of them do at once has none. Times
are nanoseconds since 1970, UTC. The check of a record is the CRC-32 of its key and value, 0 when
it is not known (a client that deserialises keeps the bytes to itself).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

Column = npt.NDArray[Any]

OUTCOMES = ("invoke", "ok", "fail", "info")
PENDING, OK, FAIL, INFO = range(4)

WHAT = ("send", "poll", "seek", "commit", "assign", "revoke", "handle", "fault", "heal", "txn")
SEND, POLL, SEEK, COMMIT, ASSIGN, REVOKE, HANDLE, FAULT, HEAL, TXN = range(10)


@dataclass(frozen=True)
class Sends:
    """One row a send, in the order of time; the number of the row is the event's id."""

    process: Column
    part: Column
    outcome: Column
    offset: Column  # -1 when nobody told it
    check: Column
    key: Column  # -1 without a key
    seq: Column  # the number of the send within its process
    explicit: Column  # whether the learner chose the partition
    txn: Column  # the number of the transaction within its client, -1 outside of one
    error: Column
    time: Column
    ended: Column  # 0 while nothing came back


@dataclass(frozen=True)
class Reads:
    """One row for each partition of a poll, and one row a record, in the order of reading."""

    process: Column
    part: Column
    epoch: Column  # rises with every seek, assignment and revocation of this partition
    time: Column
    count: Column
    offset: Column
    check: Column


@dataclass(frozen=True)
class Events:
    """Everything that is neither a send nor a read, in the order of time.

    `number` is an offset (seek, commit, handle), the generation of the group (assign), the number
    of a transaction, or -1.
    """

    process: Column
    what: Column
    outcome: Column
    part: Column
    number: Column
    error: Column
    begun: Column
    ended: Column


@dataclass(frozen=True)
class Log:
    """What a fresh client read in the end: one row a record, by partition and offset.

    `start`, `end` and `reached` are by partition: the log's edges, and how far the reader came.
    """

    part: Column
    offset: Column
    check: Column
    time: Column  # milliseconds, as in the record
    start: Column
    end: Column
    reached: Column
    begun: int  # when the edges were asked for
    compacted: Column
    unread: tuple[str, ...] = ()  # in words, what could not be read


@dataclass(frozen=True)
class Disks:
    """What the files of the brokers hold of the records that the final read missed.

    `leader` is by partition, -1 for none; `looked` are the brokers whose files were read.
    """

    node: Column
    part: Column
    offset: Column
    check: Column
    leader: Column
    looked: tuple[int, ...]


@dataclass(frozen=True)
class Process:
    """Who did it: the client's name, its group, and the settings that rules depend on."""

    client: str
    group_id: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """A history, frozen, with the names of what its columns number."""

    name: str
    begun: int
    parts: list[tuple[str, int]]
    processes: list[Process]
    keys: list[bytes | None]  # by number; None for those that were too many to be kept
    errors: list[str]
    sends: Sends
    reads: Reads
    events: Events
    log: Log | None = None
    disks: Disks | None = None

    @property
    def groups(self) -> list[str | None]:
        """The group of each process."""
        return [process.group_id for process in self.processes]


WIDTHS: dict[type, dict[str, str]] = {
    Sends: {
        **dict.fromkeys(("process", "part", "key", "seq", "txn"), "i4"),
        **dict.fromkeys(("offset", "time", "ended"), "i8"),
        "outcome": "i1",
        "check": "u4",
        "explicit": "?",
        "error": "i2",
    },
    Reads: {
        **dict.fromkeys(("process", "part", "epoch"), "i4"),
        **dict.fromkeys(("time", "count", "offset"), "i8"),
        "check": "u4",
    },
    Events: {
        **dict.fromkeys(("process", "part"), "i4"),
        **dict.fromkeys(("number", "begun", "ended"), "i8"),
        **dict.fromkeys(("what", "outcome"), "i1"),
        "error": "i2",
    },
    Log: {
        "part": "i4",
        "check": "u4",
        **dict.fromkeys(("offset", "time", "start", "end", "reached"), "i8"),
        "compacted": "?",
    },
}
