"""The time axis: seconds, minutes, hours or days since the first moment of the chart.

An experiment of ten seconds is read as 0 to 10; the label has the date for whoever looks into logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from eventlab.charts import words
from eventlab.charts.chart import Chart
from eventlab.charts.groups import Array
from eventlab.charts.look import INK

_UNITS = (  # up to so many seconds of so many seconds each
    (180, 1, "s", "seconds"),
    (10_800, 60, "min", "minutes"),
    (259_200, 3600, "h", "hours"),
    (float("inf"), 86_400, "days", "days"),
)


@dataclass(frozen=True, slots=True)
class Clock:
    """Where a moment, in nanoseconds since 1970, lies on the time axis."""

    start: int
    end: int

    @property
    def seconds(self) -> float:
        """How much time the chart shows."""
        return (self.end - self.start) / 1e9

    @property
    def _unit(self) -> tuple[int, str, str]:
        return next(
            (size, short, name) for most, size, short, name in _UNITS if self.seconds <= most
        )

    def __call__(self, moments: Array | int) -> Any:
        """Return moments as positions on the axis."""
        return (np.asarray(moments) - self.start) / (1e9 * self._unit[0])

    def at(self, moment: float) -> str:
        """Return a moment as the words have it: `12.3 s`, in the unit of the axis."""
        size, short, _ = self._unit
        return f"{words.short((moment - self.start) / (1e9 * size))} {short}"

    def draw(self, axes: Chart, spare: float = 0.0) -> None:
        """Label the time axis of a chart; leave a part of it to spare at the right."""
        begun = pd.Timestamp(self.start, tz="UTC")
        precise = f".{begun.microsecond // 1000:03}" if self._unit[0] == 1 else ""
        moment = f"{begun:%H:%M:%S}{precise} UTC on {begun.day} {begun:%B %Y}"
        if self.end == self.start:
            axes.set_xlim(-0.5, 0.5)
            axes.set_xticks([])
            axes.set_xlabel(f"at {moment}", color=INK)
            return
        axes.set_xlim(0.0, float(self(self.end)) * (1 + spare))
        axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
        axes.set_xlabel(f"{self._unit[2]} since {moment}", color=INK)
