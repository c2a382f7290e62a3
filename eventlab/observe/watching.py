"""Looking at a cluster again and again, in the background, and remembering what was seen."""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable
from inspect import signature
from typing import Any

import pandas as pd

from eventlab.cluster.cluster import Cluster
from eventlab.errors import (
    ClusterNotRunning,
    InvalidSetting,
    NeverHappened,
    UnknownGroup,
    shown,
)
from eventlab.observe import checks, consumers, frames, logs, nodes
from eventlab.observe.client import Client, Target, address_of
from eventlab.observe.history import Ends, History
from eventlab.waiting import Deadline

WATCHABLE: dict[str, Callable[..., pd.DataFrame]] = {
    "brokers": nodes.brokers,
    "quorum": nodes.quorum,
    "topics": logs.topics,
    "partitions": logs.partitions,
    "groups": consumers.groups,
    "members": consumers.members,
    "offsets": consumers.offsets,
    "lag": consumers.lag,
}
_STEP = 0.5  # seconds after which a waiting watch looks whether its cluster was stopped


def watch(
    cluster: Target,
    what: str | Callable[..., pd.DataFrame],
    *target: str,
    every: float = 1.0,
    most_rows: int = 100_000,
) -> Watch:
    """Look at the cluster every so many seconds, in the background, and remember what was seen.

        seen = observe.watch(cluster, "orders", every=0.5)      # the partitions of a topic
        seen = observe.watch(cluster, observe.lag, "billing")   # any of these functions

    It begins at once, and ends with its block, with `stop()`, with its cluster, with the kernel,
    and when another of the same begins: a cell may be run again. A topic has to exist, a group is
    waited for. The oldest samples go when there are more than `most_rows` rows.
    """
    checks.number("every", every, 0.05, 3600)
    checks.number("most_rows", most_rows, 1, 10**7, whole=True)
    names = (what, *target) if isinstance(what, str) else target
    kind = _kind(logs.partitions if isinstance(what, str) else what, names)
    return Watch(cluster, kind, names, every, most_rows)


def _kind(what: object, target: tuple[str, ...]) -> str:
    for name, function in WATCHABLE.items():
        if what is function and len(target) < len(signature(function).parameters):
            return name
    raise InvalidSetting(
        "This cannot be watched.",
        f"You gave {shown(what)} with {shown(target)}.",
        f"Give a topic's name, or one of observe.{', observe.'.join(WATCHABLE)} and its target.",
    )


class Watch:
    """A watch that is under way, or over: what it sees, what it saw, and what it waits for."""

    def __init__(
        self,
        cluster: Target,
        kind: str,
        target: tuple[str, ...],
        every: float,
        most_rows: int,
    ) -> None:
        self._cluster, self._kind, self._target, self._every = cluster, kind, target, every
        self._history, self._ends = History(frames.table(kind), most_rows), Ends()
        self._errors: deque[tuple[pd.Timestamp, str]] = deque(maxlen=1000)
        self._now, self._samples, self._asked = frames.table(kind), 0, 0.0
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._running = True
        self._client = Client(cluster)
        try:
            self._look()  # what is wrong from the start is said to who starts it
        except BaseException:
            self._end()
            raise
        self._thread = threading.Thread(target=self._run, name="eventlab-watch", daemon=True)
        self._thread.start()
        _take_place(self)

    @property
    def now(self) -> pd.DataFrame:
        """The latest sample, as the function itself returns it; without a row before the first."""
        return self._now

    @property
    def errors(self) -> pd.DataFrame:
        """What went wrong or could not be learned meanwhile: time, error; the last thousand."""
        with self._changed:
            return frames.table("errors", list(self._errors))

    def frame(self) -> pd.DataFrame:
        """Return all samples as one table, oldest first, with `time` (UTC) in front."""
        with self._changed:
            return self._history.frame()

    def wait_until(
        self, condition: Callable[[pd.DataFrame], Any], within: float = 30.0
    ) -> pd.DataFrame:
        """Return the first sample, taken after this call, for which the condition is true.

            seen.wait_until(lambda now: now.leader[0] == 2)
            seen.wait_until(lambda now: now.committed.all() and now.lag.max() == 0)

        NeverHappened when there is none within so many seconds, or when the watch ends.
        """
        checks.number("within", within, 0, 10**6)
        deadline, last = Deadline(within), time.monotonic()
        self._wake.set()
        while self._newer(last, deadline):
            now, last = self._now, self._asked
            answer = condition(now)
            if answer is not pd.NA and answer:
                return now
        raise self._never(deadline)

    def _newer(self, last: float, deadline: Deadline) -> bool:
        """Wait for a sample that was asked for after `last`."""
        with self._changed:
            self._changed.wait_for(lambda: self._asked > last or not self._running, deadline.left)
            return self._asked > last

    def stop(self) -> None:
        """End the watch; what it saw stays. Stopping twice is the same as once."""
        self._end()
        self._thread.join()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        what = " ".join([self._kind, *map(str, self._target)])
        state = "running" if self._running else "ended"
        return f"<Watch of {what} · every {self._every:g} s · {self._samples} samples · {state}>"

    def _run(self) -> None:
        due = time.monotonic()
        while self._running:
            due = max(due + self._every, time.monotonic())
            try:
                self._rest(due)
                if self._running:
                    self._look()
            except ClusterNotRunning as error:
                self._note(str(error))
                self._end()
            except Exception as error:  # a thread has nobody to raise it to
                self._note(str(error) or type(error).__name__)

    def _rest(self, due: float) -> None:
        """Wait until a sample is due, or wanted at once; ClusterNotRunning when it was stopped."""
        while self._running and (left := due - time.monotonic()) > 0:
            if self._wake.wait(min(left, _STEP)):
                break
            if isinstance(self._cluster, Cluster):
                self._cluster.require_running()
        self._wake.clear()

    def _look(self) -> None:
        """Take a sample."""
        asked = time.monotonic()
        try:
            sample = WATCHABLE[self._kind](self._client, *self._target)
        except UnknownGroup as error:  # it comes into being with its first member
            self._note(str(error))
            return
        at = pd.Timestamp.now("UTC")
        if self._kind == "lag":
            self._ends.fill(sample, at.timestamp())
            if sample.empty:  # a group that joins reads nothing yet; "all of it" would be true
                return
        with self._changed:
            self._history.add(at, sample)
            self._now, self._asked, self._samples = sample, asked, self._samples + 1
            self._errors.extend((at, sentence) for sentence in self._client.unknown.values())
            self._changed.notify_all()

    def _note(self, error: str) -> None:
        if self._running:
            with self._changed:
                self._errors.append((pd.Timestamp.now("UTC"), error))

    def _end(self) -> None:
        self._running = False
        self._wake.set()
        self._client.close()
        with _lock:
            if _watches.get(self._key) is self:
                del _watches[self._key]
        with self._changed:
            self._changed.notify_all()

    def _never(self, deadline: Deadline) -> NeverHappened:
        found = f"the last sample begins {shown(self._now.head(1).to_dict())}"
        wrong = f", the last error is {shown(self._errors[-1][1])}" if self._errors else ""
        end = f"{deadline.seconds:g} seconds passed" if self._running else "It has ended"
        return NeverHappened(
            f"{self!r} did not see what was awaited.",
            f"{end}; {found}{wrong}.",
            "Look at its now and its errors, or raise within=.",
        )

    @property
    def _key(self) -> tuple[object, ...]:
        told = self._cluster
        where = told.name if isinstance(told, Cluster) else address_of(told)["bootstrap_servers"]
        return where, self._kind, repr(self._target)


_watches: dict[tuple[object, ...], Watch] = {}
_lock = threading.Lock()


def _take_place(new: Watch) -> None:
    """Let a watch be the only one of what it watches."""
    with _lock:
        old, _watches[new._key] = _watches.get(new._key), new
    if old:
        old.stop()


@atexit.register
def _stop_all() -> None:
    for each in list(_watches.values()):
        each.stop()
