"""Random faults, one after the other, that a seed repeats."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from eventlab import waiting
from eventlab.cluster import backends
from eventlab.cluster.cluster import Cluster
from eventlab.errors import ClusterNotRunning, EventlabError, InvalidSetting, shown
from eventlab.faults import links, signals, targets
from eventlab.faults.fault import Fault

if TYPE_CHECKING:
    import pandas as pd

KINDS: dict[str, Callable[[Cluster, int], Fault]] = {
    "broker stopped": signals.broker_stopped,
    "broker killed": signals.broker_killed,
    "broker frozen": signals.broker_frozen,
    "broker isolated": links.broker_isolated,
    "clients cut off": links.clients_cut,
    "clients slow": lambda cluster, node: links.clients_slow(cluster, node, latency=0.2),
}
_NEEDS = {"clients cut off": backends.CUT_CLIENTS, "clients slow": backends.SLOW_CLIENTS}
Step = tuple[float, str, int, float]  # pause, kind, node_id, how long it lasts
_PAUSE = (0.5, 2.0)  # seconds between two faults
_LASTS = (1.0, 5.0)  # seconds of a fault: shorter and longer than the broker session timeout


class Storm:
    """Breaks and mends brokers in the background until its block ends.

        with faults.storm(cluster, seed=7) as storm:
            ...
        storm.plan        # what it does, from the seed alone
        storm.start()     # in a notebook, until storm.stop()

    It ends with its cluster too, and what it broke is mended. One fault at a time, so that a topic
    with min.insync.replicas=2 goes on.
    """

    def __init__(
        self, cluster: Cluster, seed: int | None, kinds: Iterable[str] | None, seconds: float
    ) -> None:
        self._cluster = targets.ours(cluster)
        self.seed = random.randrange(10**6) if seed is None else _whole(seed)
        reach = waiting.seconds("seconds", seconds, below=targets.WEEK)
        self._steps = _steps(self.seed, list(cluster.brokers), _known(kinds, cluster.can), reach)
        self.errors: list[EventlabError] = []
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Storm:
        """Begin, and print what repeats it; nothing if it has begun."""
        if self._thread is None:
            print(f"faults.storm(cluster, seed={self.seed})")  # noqa: T201
            self._over.clear()
            self._thread = threading.Thread(target=self._run, name="eventlab-storm", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Mend what it has broken, and end."""
        self._over.set()
        if self._thread:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Storm:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _run(self) -> None:
        for pause, kind, node_id, lasts in self._steps:
            if self._over.wait(pause):
                return
            try:
                with KINDS[kind](self._cluster, node_id):
                    self._over.wait(lasts)
            except EventlabError as error:  # told where it is looked for, not on stderr
                self.errors.append(error)
                if isinstance(error, ClusterNotRunning):
                    return

    @property
    def plan(self) -> pd.DataFrame:
        """pause_seconds, fault, node_id, lasts_seconds of each step; a function of the seed."""
        import pandas as pd

        columns = ["pause_seconds", "fault", "node_id", "lasts_seconds"]
        return pd.DataFrame(self._steps, columns=columns)

    def __repr__(self) -> str:
        return f"<Storm seed={self.seed} · {len(self._steps)} faults>"


def storm(
    cluster: Cluster,
    seed: int | None = None,
    *,
    kinds: Iterable[str] | None = None,
    seconds: float = 600.0,
) -> Storm:
    """Break one broker after the other in the background; the seed, which is printed, repeats it.

    `kinds` are some of `faults.KINDS`; `seconds` is how long the plan reaches.
    """
    return Storm(cluster, seed, kinds, seconds)


def _whole(seed: object) -> int:
    if type(seed) is not int:
        raise InvalidSetting(
            "seed cannot be this.", f"You gave {shown(seed)}.", "Use a whole number, such as 7."
        )
    return seed


def _known(kinds: Iterable[str] | None, can: Iterable[str]) -> list[str]:
    several = isinstance(kinds, Iterable) and not isinstance(kinds, str)
    asked: list[Any] = (
        list(kinds or ()) if several else _possible(can) if kinds is None else [kinds]
    )
    for kind in asked or [""]:
        if not isinstance(kind, str) or kind not in KINDS:
            raise InvalidSetting(
                "There is no such kind of fault.",
                f"You gave {shown(kind)}.",
                f"Use some of: {', '.join(KINDS)}.",
            )
    return asked


def _possible(can: Iterable[str]) -> list[str]:
    return [kind for kind in KINDS if _NEEDS.get(kind, backends.STOP) in can]


def _steps(seed: int, brokers: list[int], kinds: list[str], seconds: float) -> list[Step]:
    chosen, steps, at = random.Random(seed), [], 0.0
    while at < seconds:
        pause, lasts = chosen.uniform(*_PAUSE), chosen.uniform(*_LASTS)
        steps.append((pause, chosen.choice(kinds), chosen.choice(brokers), lasts))
        at += pause + lasts
    return steps
