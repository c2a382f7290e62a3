"""Words and places in place of the numbers that stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from eventlab.history.tables import Column


def words(names: Sequence[str], number: Column) -> Any:
    """Return the names of numbers, as a column of text; -1 is the last of them."""
    return pd.array(list(names), dtype="str").take(number)


def places(parts: list[tuple[str, int]], part: Column) -> dict[str, Any]:
    """Return the columns topic and partition of numbered partitions, "" and -1 for none."""
    topics = [*(topic for topic, _ in parts), ""]
    numbers = np.array([*(partition for _, partition in parts), -1], np.int64)
    return {"topic": words(topics, part), "partition": numbers[part]}


def of_event(column: Column, event: Column) -> Column:
    """Return a column of the sends for events, -1 where there is no event."""
    return np.append(column, -1)[np.maximum(event, -1)]


def utc(time: Column) -> pd.DatetimeIndex:
    """Return nanoseconds since 1970 as a column of times."""
    return pd.to_datetime(time, unit="ns", utc=True)
