"""A recorder whose process may be killed: what it is told is in a file at once.

A line is one call of `Recorder`, as JSON. A line that has been written outlives SIGKILL, since the
page cache is the operating system's; the run that it belongs to makes the same calls later.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from time import time_ns
from typing import Any

from eventlab.history import Recorder, Run
from eventlab.history.names import Names


class Journal(Recorder):
    """What one client did, line by line; it keeps nothing in memory."""

    def __init__(
        self, path: Path, client: str, group_id: str | None = None, **settings: Any
    ) -> None:
        super().__init__(Names(), client, group_id, **settings)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._sent = 0
        self._note("client", client, group_id, settings)

    def sent(
        self,
        topic: str,
        key: bytes | None = None,
        value: bytes | None = None,
        *,
        partition: int | None = None,
        at: int | None = None,
    ) -> int:
        """Note a send with a key and a value of text; return its number."""
        self._note("sent", topic, (key or b"").decode(), (value or b"").decode(), at or time_ns())
        self._sent += 1
        return self._sent - 1

    def acked(self, send: int, partition: int, offset: int, *, at: int | None = None) -> None:
        """Note that a send was acknowledged."""
        self._note("acked", send, partition, offset, at or time_ns())

    def _poll(
        self, topic: str, partition: int, offsets: list[int], checks: list[int], at: int | None
    ) -> None:
        self._note("_poll", topic, partition, offsets, checks, at or time_ns())

    def _own(
        self, what: int, parts: Iterable[tuple[str, int]], number: int, at: int | None
    ) -> None:
        self._note("_own", what, list(parts), number, at or time_ns())

    def _event(self, what: int, outcome: int, part: int, *more: Any) -> None:
        number, error, begun, ended = more
        now = ended or time_ns()
        named = type(error).__name__ if isinstance(error, BaseException) else error
        where = self._names.parts[part] if part >= 0 else None
        self._note("_event", what, outcome, where, number, named, begun or now, now)

    def _note(self, *call: Any) -> None:
        os.write(self._file, json.dumps(call).encode() + b"\n")  # whole, whichever thread calls


def entries(path: Path) -> list[list[Any]]:
    """Return the calls that a journal has so far; a line that was cut off is none."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def replay(path: Path, run: Run) -> None:
    """Make a client of a run of what a journal says."""
    calls = entries(path)
    if not calls:
        return
    _, client, group_id, settings = calls[0]
    recorder = run.recorder(client, group_id, **settings)
    for name, *told in calls[1:]:
        _REPLAYED[name](recorder, *told)


def _sent(recorder: Recorder, topic: str, key: str, value: str, at: int) -> None:
    recorder.sent(topic, key.encode(), value.encode(), at=at)


def _acked(recorder: Recorder, send: int, partition: int, offset: int, at: int) -> None:
    recorder.acked(send, partition, offset, at=at)


def _own(recorder: Recorder, what: int, parts: list[Any], number: int, at: int) -> None:
    recorder._own(what, [tuple(part) for part in parts], number, at)


def _event(recorder: Recorder, what: int, outcome: int, where: Any, *more: Any) -> None:
    recorder._event(what, outcome, recorder._names.part(*where) if where else -1, *more)


_REPLAYED: dict[str, Callable[..., None]] = {
    "sent": _sent,
    "acked": _acked,
    "_poll": Recorder._poll,
    "_own": _own,
    "_event": _event,
}
