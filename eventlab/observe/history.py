"""What a watch remembers: its samples as one table, and when each log had which end."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

import pandas as pd

from eventlab.observe.frames import TIME

MOST_POINTS = 600  # of a partition: ten minutes at one sample a second


class History:
    """Samples as one tidy table, `time` in front; the oldest go when there are too many rows."""

    def __init__(self, columns: pd.DataFrame, most_rows: int) -> None:
        self._most_rows = most_rows
        self._old: deque[pd.DataFrame] = deque()  # many samples each: thousands are slow to join
        self._new = [(pd.Timestamp.now("UTC"), columns)]

    def add(self, time: pd.Timestamp, sample: pd.DataFrame) -> None:
        """Remember a sample."""
        self._new.append((time, sample.copy(deep=False)))  # the sample itself is its reader's
        if len(self._new) == 64 or _rows(each for _, each in self._new) * 50 > self._most_rows:
            self._old.append(_joined(self._new))
            self._new.clear()
        while len(self._old) > 1 and _rows(self._old) > self._most_rows:
            self._old.popleft()

    def frame(self) -> pd.DataFrame:
        """Return all that is remembered, oldest first."""
        new = [_joined(self._new)] if self._new else []
        return pd.concat([*self._old, *new], ignore_index=True)


def _joined(samples: Sequence[tuple[pd.Timestamp, pd.DataFrame]]) -> pd.DataFrame:
    joined = pd.concat([sample for _, sample in samples], ignore_index=True)
    times = [time for time, sample in samples for _ in range(len(sample))]
    joined.insert(0, "time", pd.Series(times, dtype=TIME))
    return joined


def _rows(frames: Iterable[pd.DataFrame]) -> int:
    return sum(map(len, frames))


class Ends:
    """When the log of each partition had which end, as far as it was seen."""

    def __init__(self) -> None:
        self._points: dict[tuple[str, int], deque[tuple[int, float]]] = defaultdict(
            lambda: deque(maxlen=MOST_POINTS)
        )

    def fill(self, lag: pd.DataFrame, now: float) -> None:
        """Remember the ends of a table of lags, and fill in its lag_seconds."""
        names = ["topic", "partition", "current_offset", "log_end_offset", "lag", "lag_seconds"]
        columns = (lag[name].tolist() for name in names)
        seconds = []
        for topic, number, offset, end, behind, known in zip(*columns, strict=True):
            place = topic, number
            if end is not pd.NA:
                self.add(place, end, now)
            some = behind is not pd.NA and behind > 0
            seconds.append(self.behind(place, offset, now) if some else known)
        lag["lag_seconds"] = pd.Series(seconds, index=lag.index, dtype="float64")

    def add(self, place: tuple[str, int], end: int, seconds: float) -> None:
        """Remember that the log ended there at that time."""
        points = self._points[place]
        while points and points[-1][0] > end:  # records were lost, or the topic is a new one
            points.pop()
        if len(points) > 1 and points[-1][0] == points[-2][0] == end:
            points.pop()  # nothing was written meanwhile: the two ends of that time are enough
        points.append((end, seconds))

    def behind(self, place: tuple[str, int], offset: int, now: float) -> float:
        """Return how long ago the record at this offset was written; NaN where that was not seen.

        Between two points the log is taken to have grown evenly; before the first one nothing is
        known, and nothing guessed.
        """
        points = list(self._points[place])
        after = bisect_right(points, offset, key=lambda point: point[0])
        if after in (0, len(points)):
            return float("nan")
        (low, earlier), (high, later) = points[after - 1], points[after]
        return now - (earlier + (later - earlier) * (offset - low) / (high - low))
