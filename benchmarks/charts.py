"""Charts and tables from a million rows: how long a learner waits for the picture.

Measured: each chart of a million rows, from the call to the PNG that the notebook shows, its words
and its table included; and against `np.sort` of a million random int64 in the same process, the
tables of ordering (reads of 5,000 keys in 12 partitions, in batches, some keys out of order) and of
lag (12 partitions), without a picture.
Fair: frames as a history or a watch has them, with text for topics and clients; sorting and charts
take turns, so that a slow minute is slow for both. Making the frames is not counted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import figures
import numpy as np
import pandas as pd
from figures import Figure, Numbers

from eventlab import charts
from eventlab.charts import lags, reads

ROWS = 1_000_000
PARTITIONS, KEYS, BATCH = 12, 5_000, 500
START = pd.Timestamp("2026-01-01", tz="UTC").value
CHART, TABLE = 300.0, 10.0  # milliseconds, and times np.sort: what is promised


def measure(runs: int) -> list[Figure]:
    dice = np.random.default_rng(7)
    read, lag = read_records(dice), lag_samples(dice)
    drawn: dict[str, tuple[Callable[..., Any], pd.DataFrame]] = {
        "lag, 1e6 samples": (charts.lag, lag),
        "throughput, 1e6 records": (charts.throughput, read),
        "latency, 1e6 records": (charts.latency, latencies(dice)),
        "ordering, 1e6 reads": (charts.ordering, read),
        "spacetime, 1e6 operations": (charts.spacetime, operations(dice)),
        "leadership, 1e6 samples": (charts.leadership, partition_samples()),
        "anomalies, 1e6 records": (charts.anomalies, judged(dice)),
    }
    numbers = dice.integers(0, 1 << 62, ROWS)
    seen = figures.interleaved(
        runs,
        sort=timed(lambda: np.sort(numbers)),
        ordering_table=timed(lambda: ordering_table(read)),
        lag_table=timed(lambda: lags.table(lags.read(lag))),
        **{name: timed(partial(shown, *one)) for name, one in drawn.items()},
    )
    times = {side: figures.median(rows, "ms") for side, rows in seen.items()}
    sort = times["sort"]
    return [
        *(Figure(f"chart of {name}", times[name], "ms", CHART) for name in drawn),
        Figure("table of ordering, against np.sort", times["ordering_table"], "ms", TABLE, sort),
        Figure("table of lag, against np.sort", times["lag_table"], "ms", TABLE, sort),
    ]


def timed(act: Callable[[], object]) -> Callable[[], Numbers]:
    """Return what does it once and says how many milliseconds that took."""

    def run() -> Numbers:
        begun = time.perf_counter()
        act()
        return {"ms": (time.perf_counter() - begun) * 1000}

    return run


def shown(chart: Callable[..., Any], frame: pd.DataFrame) -> tuple[bytes, pd.DataFrame]:
    """Do what a cell does whose last line is a chart, and one that describes it."""
    axes = chart(frame)
    return axes._repr_png_()[0], charts.describe(axes).table


def moments(seconds: np.ndarray) -> pd.DatetimeIndex:
    """Return so many seconds after the start, as observations and histories have them."""
    nanoseconds = (seconds * 1e9).astype("int64") + START
    return pd.DatetimeIndex(nanoseconds.view("M8[ns]")).tz_localize("UTC")


def read_records(dice: np.random.Generator) -> pd.DataFrame:
    """Return reads in batches of each partition, a hundred of a key the wrong way round."""
    produced = np.arange(ROWS)
    key = dice.integers(0, KEYS, ROWS)
    order = np.lexsort((produced, key % PARTITIONS, produced // (BATCH * PARTITIONS)))
    key, produced = key[order], produced[order]
    swapped = np.flatnonzero(key == 77)[50:150]
    produced[swapped] = produced[swapped][::-1]
    return pd.DataFrame(
        {
            "process": 1,
            "client": "billing-1",
            "topic": "orders",
            "partition": key % PARTITIONS,
            "offset": produced,
            "event_id": produced,
            "key_id": key,
            "producer": 0,
            "producer_seq": produced,
            "time": moments(np.sort(dice.uniform(0, 600, ROWS))),
        }
    )


def lag_samples(dice: np.random.Generator) -> pd.DataFrame:
    """Return samples of all partitions, one after the other."""
    samples = -(-ROWS // PARTITIONS)
    walk = np.abs(dice.normal(0, 3, (samples, PARTITIONS)).cumsum(axis=0)).astype("int64")
    return pd.DataFrame(
        {
            "time": moments(np.repeat(np.arange(samples), PARTITIONS)),
            "group_id": "billing",
            "topic": "orders",
            "partition": np.tile(np.arange(PARTITIONS), samples),
            "lag": pd.array(walk.ravel(), dtype="Int64"),
            "committed": True,
        }
    )[:ROWS]


def latencies(dice: np.random.Generator) -> pd.DataFrame:
    """Return how long records took, in the order of time."""
    times = moments(np.sort(dice.uniform(0, 600, ROWS)))
    return pd.DataFrame({"time": times, "seconds": dice.lognormal(-6, 0.5, ROWS)})


def judged(dice: np.random.Generator) -> pd.DataFrame:
    """Return the log of 12 partitions, one record in a thousand lost."""
    number = np.arange(ROWS)
    lost = dice.random(ROWS) < 0.001
    anomaly = np.full(ROWS, None, object)
    anomaly[lost] = "lost"
    return pd.DataFrame(
        {
            "topic": "orders",
            "partition": number % PARTITIONS,
            "offset": number // PARTITIONS,
            "anomaly": anomaly,
            "in_log": ~lost,
        }
    )


def ordering_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table behind charts.ordering."""
    found = reads.read(frame)
    assert found is not None
    return reads.table(found)


def operations(dice: np.random.Generator) -> pd.DataFrame:
    """Return sends, their acknowledgements and reads, a third of each, in the order of time."""
    records = -(-ROWS // 3)
    sent = np.sort(dice.uniform(0, 600, records))
    acked = sent + dice.lognormal(-5, 1, records)
    columns: dict[str, Any] = {
        "client": "shop",
        "group_id": "",
        "topic": "orders",
        "partition": np.arange(records) % PARTITIONS,
    }
    columns |= {"event_id": np.arange(records), "process": 0, "f": "send"}
    sends = pd.DataFrame(columns | {"type": "invoke", "offset": -1, "time": moments(sent)})
    offset = np.arange(records) // PARTITIONS
    acks = pd.DataFrame(columns | {"type": "ok", "offset": offset, "time": moments(acked)})
    later = moments(acked + dice.lognormal(-4, 1.5, records))
    read = acks.assign(process=1, client="billing-1", group_id="billing", f="poll", time=later)
    frame = pd.concat([sends, acks, read], ignore_index=True)
    return frame.sort_values("time", kind="stable", ignore_index=True)[:ROWS]


def partition_samples() -> pd.DataFrame:
    """Return samples of partitions whose leaders move once an hour."""
    samples = -(-ROWS // PARTITIONS)
    second = np.repeat(np.arange(samples), PARTITIONS)
    partition = np.tile(np.arange(PARTITIONS), samples)
    moved = second // 3600
    isr = np.empty(len(second), dtype=object)
    isr[:] = [(1, 2, 3)] * len(second)
    return pd.DataFrame(
        {
            "time": moments(second),
            "topic": "orders",
            "partition": partition,
            "leader": (partition + moved) % 3 + 1,
            "leader_epoch": moved,
            "isr": isr,
        }
    )[:ROWS]


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, measure))
