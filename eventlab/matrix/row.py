"""What a row of the matrix is: a fault, its settings, what has to come of it, and its script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from eventlab.matrix.scene import Scene
from eventlab.waiting import wait_until

VANISHED = "vanished"  # sent, never answered, not in the log: no anomaly, and a loss all the same
NONE = "nothing lost, doubled or reordered"

Script = Callable[[Scene], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the matrix.

    `shows` names the anomalies that a demonstration is there to show: as often as its script says,
    or at least once where it does not; a row without is held to a valid verdict. `judge` holds
    the rules of the verdict; `source` says what Kafka or kafka-python does otherwise than one may
    expect, and where that is written.
    """

    row: str
    fault: str
    settings: str
    expected: str
    script: Script
    shows: tuple[str, ...] = ()
    judge: dict[str, Any] = field(default_factory=dict)
    source: str = ""


MADE: dict[str, Row] = {}


def row(
    name: str,
    fault: str,
    settings: str = "safe",
    expected: str = NONE,
    **more: Any,
) -> Callable[[Script], Script]:
    """Make a row of a function that plays it."""

    def made(script: Script) -> Script:
        MADE[name] = Row(name, fault, settings, expected, script, **more)
        return script

    return made


def hold(scene: Scene, low: float, high: float) -> None:
    """Let a fault last for a while that the seed chooses."""
    until = monotonic() + scene.random.uniform(low, high)
    wait_until(lambda: monotonic() >= until, high + 10, "Time stood still.")
