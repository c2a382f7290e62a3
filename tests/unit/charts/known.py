"""Frames small enough to be checked by eye, one for each chart, and how to read a chart back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from eventlab import charts

START = pd.Timestamp("2026-11-24 17:27:21", tz="UTC").as_unit("ns")
FAULTS = pd.DataFrame(
    {
        "start": [START + pd.Timedelta(seconds=4)],
        "end": [START + pd.Timedelta(seconds=7)],
        "fault": ["leader killed"],
        "target": ["broker 2"],
        "nodes": [(2,)],
    }
)


def at(seconds: Any) -> Any:
    """Return moments so many seconds after START, in nanoseconds and UTC as observations have."""
    nanoseconds = (np.asarray(seconds, dtype=float) * 1e9).round().astype("int64") + START.value
    return pd.DatetimeIndex(np.atleast_1d(nanoseconds).view("M8[ns]")).tz_localize("UTC")


def timed(rows: Iterable[Sequence[Any]], *columns: str) -> pd.DataFrame:
    """Return rows that begin with seconds as a frame that begins with `time`."""
    frame = pd.DataFrame(list(rows), columns=["time", *columns])
    return frame.assign(time=at(frame["time"]))


def lags() -> pd.DataFrame:
    """Return eleven samples of two partitions; partition 1 commits from second 3 on."""
    rows = [
        (second, "orders", partition, lag, not (partition == 1 and second < 3))
        for second in range(11)
        for partition, lag in ((0, 10 * second), (1, max(0, 50 - 5 * second)))
    ]
    frame = timed(rows, "topic", "partition", "lag", "committed")
    return frame.assign(lag=frame["lag"].astype("Int64").where(frame["committed"]))


def records() -> pd.DataFrame:
    """Return 200 records: ten a second for four seconds, none for four, 40 a second for four."""
    seconds = [*np.arange(0, 4, 0.1), *np.arange(8, 12, 0.025)]
    return timed(((s, n % 2) for n, s in enumerate(seconds)), "partition")


def latencies() -> pd.DataFrame:
    """Return 1,000 records over ten seconds that took 1 to 100 ms, in turn."""
    return timed(((n / 100, (n % 100 + 1) / 1000) for n in range(1000)), "seconds")


def reads() -> pd.DataFrame:
    """Return twelve reads of three partitions, with one key read out of order.

    Record n has key n % 4; keys 0 and 3 are in partition 0, key 1 in 1 and key 2 in 2.
    """
    order = [0, 3, 4, 7, 1, 9, 5, 2, 6, 10, 8, 11]
    homes = {0: 0, 1: 1, 2: 2, 3: 0}
    rows = [(homes[n % 4], n % 4, n, n) for n in order]
    return pd.DataFrame(rows, columns=["partition", "key_id", "producer_seq", "event_id"])


def assignments() -> pd.DataFrame:
    """Return one eager rebalance: alice owns both partitions, then alice and bob own one each."""
    rows = [
        (0, 1, "alice", "orders", 0, True),
        (0, 1, "alice", "orders", 1, True),
        (4, 1, "alice", "orders", 0, False),
        (4, 1, "alice", "orders", 1, False),
        (6, 1, "alice", "orders", 0, True),
        (7, 2, "bob", "orders", 1, True),
        (10, 2, "bob", "orders", 1, False),
    ]
    return timed(rows, "process", "client", "topic", "partition", "owned")


def partitions() -> pd.DataFrame:
    """Return 21 samples of two partitions; broker 2, which leads the first, is lost in second 7."""
    rows = []
    for half in range(21):
        second = half / 2
        lost, isr = second >= 7, (1, 3) if 7 <= second < 9 else (1, 2, 3)
        rows.append((second, "orders", 0, 3 if lost else 2, 5 + lost, (2, 3, 1), isr))
        rows.append((second, "orders", 1, 1, 4, (1, 2, 3), isr))
    return timed(rows, "topic", "partition", "leader", "leader_epoch", "replicas", "isr")


def operations() -> pd.DataFrame:
    """Return four sends, one of which fails; one of three records is read again by bob."""
    rows = [
        (0.0, 1, "alice", "ok", "assign", 0, -1, -1),
        (1.0, 0, "shop", "invoke", "send", 0, -1, 0),
        (1.2, 0, "shop", "ok", "send", 0, 0, 0),
        (1.5, 1, "alice", "ok", "poll", 0, 0, 0),
        (1.6, 1, "alice", "ok", "commit", 0, 1, -1),
        (2.0, 0, "shop", "invoke", "send", 1, -1, 1),
        (2.3, 0, "shop", "ok", "send", 1, 0, 1),
        (2.6, 1, "alice", "ok", "poll", 1, 0, 1),
        (3.0, 0, "shop", "invoke", "send", 0, -1, 2),
        (3.1, 0, "shop", "fail", "send", 0, -1, 2),
        (6.0, 1, "alice", "ok", "revoke", 0, -1, -1),
        (7.0, 2, "bob", "ok", "assign", 0, -1, -1),
        (7.5, 2, "bob", "ok", "poll", 1, 0, 1),
        (8.0, 0, "shop", "invoke", "send", 1, -1, 3),
        (8.1, 0, "shop", "ok", "send", 1, 1, 3),
        (8.4, 2, "bob", "ok", "poll", 1, 1, 3),
    ]
    columns = ("process", "client", "type", "f", "partition", "offset", "event_id")
    return timed(rows, *columns).assign(topic="orders", op=range(len(rows)))


def judged() -> pd.DataFrame:
    """Return the log of two partitions: five were lost in the first, and one doubled."""
    rows = [("orders", 0, offset, None, True) for offset in range(10)]
    rows += [("orders", 0, offset, "lost", False) for offset in range(10, 15)]
    rows += [
        ("orders", 1, offset, "duplicate" if offset == 3 else None, True) for offset in range(6)
    ]
    return pd.DataFrame(rows, columns=["topic", "partition", "offset", "anomaly", "in_log"])


MADE = {
    charts.anomalies: judged,
    charts.spread: lambda: pd.DataFrame(
        {"partition": [2, 0, 1], "leader": [1, 2, 3], "records": [30, 50, 20]}
    ),
    charts.lag: lags,
    charts.throughput: records,
    charts.latency: latencies,
    charts.ordering: reads,
    charts.assignment: assignments,
    charts.leadership: partitions,
    charts.spacetime: operations,
}
NEEDED = {
    charts.anomalies: ("topic", "partition", "offset", "anomaly", "in_log"),
    charts.spread: ("partition", "leader", "records"),
    charts.lag: ("time", "topic", "partition", "lag"),
    charts.throughput: ("time",),
    charts.latency: ("time", "seconds"),
    charts.ordering: ("partition", "key_id", "producer_seq"),
    charts.assignment: ("time", "process", "topic", "partition", "owned"),
    charts.leadership: ("time", "topic", "partition", "leader", "leader_epoch", "isr"),
    charts.spacetime: (
        *("time", "process", "type", "f", "topic", "partition", "offset", "event_id"),
    ),
}
OVER_TIME = [chart for chart, needed in NEEDED.items() if "time" in needed]


def line(axes: Axes, label: str) -> pd.DataFrame:
    """Return the points of the line of this name."""
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return pd.DataFrame({"x": found.get_xdata(), "y": found.get_ydata()}, dtype=float)


def bars(axes: Axes, label: str) -> list[tuple[float, float, float, float]]:
    """Return left, right, middle and height of the bars of this name, in their order."""
    (found,) = [drawn for drawn in axes.collections if drawn.get_label() == label]
    boxes = [path.vertices for path in found.get_paths()]
    return [
        tuple(
            round(float(number), 6)
            for number in (box[0, 0], box[2, 0], box[:4, 1].mean(), np.ptp(box[:, 1]))
        )
        for box in boxes
    ]


def points(axes: Axes) -> int:
    """Return how many points a chart is drawn from."""
    lines = sum(len(line.get_xdata()) for line in axes.lines)
    paths = sum(len(path.vertices) for drawn in axes.collections for path in drawn.get_paths())
    patches = sum(len(patch.get_path().vertices) for patch in axes.patches)
    return lines + paths + patches


def drawn(axes: Axes) -> Any:
    """Lay a chart out as it will be shown; return its renderer."""
    canvas = FigureCanvasAgg(axes.figure)
    canvas.draw()
    return canvas.get_renderer()


def texts(axes: Axes) -> list[Text]:
    """Return everything written on a chart that is seen, which ticks beyond its edges are not."""
    found = axes.figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible())
    ticks = {label for axis in (axes.xaxis, axes.yaxis) for label in axis.get_majorticklabels()}
    (low, high), (left, right) = sorted(axes.get_ylim()), axes.get_xlim()
    seen = {
        label
        for axis, first, last in ((axes.xaxis, left, right), (axes.yaxis, low, high))
        for label, place in zip(axis.get_majorticklabels(), axis.get_majorticklocs(), strict=True)
        if first - 1e-9 <= place <= last + 1e-9
    }
    return [t for t in found if t.get_text().strip() and (t not in ticks or t in seen)]
