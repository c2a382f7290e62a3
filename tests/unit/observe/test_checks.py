"""Bad arguments (items 42 and 54) are refused at once, before any broker is asked."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from eventlab import observe
from eventlab.errors import InvalidSetting
from eventlab.observe import checks
from tests.unit.refusals import refused

NOBODY = "127.0.0.1:9"  # a port that nobody listens on: who asked it would wait


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"start": -1}, "-1"),
        ({"end": -5}, "-5"),
        ({"start": 1.5}, "1.5"),
        ({"start": True}, "True"),
        ({"start": "100"}, "'100'"),
        ({"start": date(2026, 1, 1)}, "2026"),
        ({"end": np.datetime64("2026-01-01")}, "2026"),
        ({"limit": 0}, "0"),
        ({"limit": -10}, "-10"),
        ({"limit": 10.0}, "10.0"),
        ({"limit": float("nan")}, "nan"),
        ({"within": -1}, "-1"),
        ({"within": float("inf")}, "inf"),
        ({"within": None}, "None"),
        ({"partition": -1}, "-1"),
        ({"partition": "0"}, "'0'"),
        ({"partition": [0, None]}, "None"),
        ({"partition": True}, "True"),
        ({"isolation_level": "serializable"}, "serializable"),
        ({"isolation_level": None}, "None"),
    ],
    ids=str,
)
def test_an_argument_that_cannot_be_is_refused_before_anybody_is_asked(given, shown):
    """Nobody listens at the address, and yet it takes no time."""
    with refused(InvalidSetting, shown):
        observe.records(NOBODY, "orders", **given)


@pytest.mark.parametrize("name", ["start", "end"])
def test_a_time_without_a_timezone_could_be_any(name):
    """Whose nine o'clock? The message says what to type."""
    for naive in (datetime(2026, 1, 1, 9), pd.Timestamp("2026-01-01 09:00")):
        with refused(InvalidSetting, "timezone", "pd.Timestamp.now('UTC')"):
            observe.records(NOBODY, "orders", **{name: naive})


def test_what_tables_hold_is_accepted():
    """An offset out of a frame is one of numpy's whole numbers, a time one of pandas'."""
    frame = pd.DataFrame({"offset": [7], "time": [pd.Timestamp.now("UTC")]})
    assert checks.edge("start", frame["offset"][0]) == 7
    assert type(checks.edge("start", frame["offset"][0])) is int
    assert checks.edge("end", frame["time"][0]) == frame["time"][0]
    assert checks.edge("end", moment := datetime.now(UTC)) is moment
    assert checks.numbers(frame["offset"][0]) == [7]
    assert checks.numbers({2, 0, 1}) == [0, 1, 2]
    assert checks.numbers(np.array([1, 1])) == [1]
    assert checks.numbers(None) is None


@pytest.mark.parametrize(
    "cluster",
    [
        None,
        5,
        "",
        " ",
        "localhost",
        "127.0.0.1:",
        "127.0.0.1:abc",
        "127.0.0.1:0",
        "127.0.0.1:99999",
        "127.0.0.1:9092,",
        ["127.0.0.1:9092"],
        b"127.0.0.1:9092",
    ],
    ids=repr,
)
def test_what_is_no_cluster_is_refused_at_once(cluster):
    """kafka-python itself would wait half a minute for some of these."""
    for look in (observe.brokers, observe.lag, observe.partitions):
        with refused(InvalidSetting, "Give a Cluster"):
            look(cluster)
    with refused(InvalidSetting, "Give a Cluster"):
        observe.watch(cluster, "orders")


@pytest.mark.parametrize(
    ("what", "target", "options"),
    [
        ("orders", (), {"every": 0}),
        ("orders", (), {"every": -1}),
        ("orders", (), {"every": "1"}),
        ("orders", (), {"every": float("nan")}),
        ("orders", (), {"most_rows": 0}),
        ("orders", (), {"most_rows": 10.5}),
        ("orders", ("payments",), {}),
        (None, (), {}),
        (len, (), {}),
        (observe.records, ("orders",), {}),
        (observe.quorum, ("orders",), {}),
        (observe.lag, ("billing", "shipping"), {}),
    ],
    ids=lambda each: getattr(each, "__name__", str(each)),
)
def test_what_cannot_be_watched_is_refused_at_once(what, target, options):
    """With what can be, in the message."""
    with refused(InvalidSetting):
        observe.watch(NOBODY, what, *target, **options)
