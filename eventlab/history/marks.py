"""Faults as events of a history: when each began and ended."""

from __future__ import annotations

from typing import Any

from eventlab.errors import InvalidSetting, shown
from eventlab.history import arguments
from eventlab.history.recorder import Recorder
from eventlab.history.tables import FAULT, HEAL, OK


def faults(recorder: Recorder, frame: Any, told: set[tuple[str, ...]]) -> None:
    """Record what of a frame was not told before."""
    import pandas as pd

    table = arguments.columns(frame, arguments.FAULT, "run.faults")
    try:
        times = {name: pd.to_datetime(table[name], utc=True) for name in ("start", "end")}
    except (TypeError, ValueError):
        raise InvalidSetting(
            "A fault has no such start or end.",
            f"There is {shown(list(table['start'])[:1])} and {shown(list(table['end'])[:1])}.",
            "Give times that pandas.to_datetime understands; NaT while a fault is on.",
        ) from None
    for name, what in (("start", FAULT), ("end", HEAL)):
        for when, fault, target in zip(times[name], table["fault"], table["target"], strict=True):
            known = (name, str(when), str(fault), str(target))
            if not pd.isna(when) and known not in told:
                told.add(known)
                at = when.value if when.unit == "ns" else when.as_unit("ns").value
                recorder._event(what, OK, -1, -1, f"{fault}: {target}", at, at)
