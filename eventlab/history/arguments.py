"""What a learner may pass, and what it is turned into; anything else is refused at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from eventlab.errors import InvalidSetting, shown

if TYPE_CHECKING:
    import pandas as pd

    from eventlab.history.names import Names
    from eventlab.history.tables import Column

_NAME = re.compile(r"[\w][\w .-]{0,99}")
EFFECT = ("topic", "partition", "offset")
FAULT = ("start", "end", "fault", "target")


def name(given: object) -> str:
    """Return the name of a run, which is that of its file too."""
    if not (isinstance(given, str) and _NAME.fullmatch(given)):
        raise InvalidSetting(
            "A run cannot have this name.",
            f"You gave {shown(given)}.",
            "Use letters, digits, spaces, '.', '_' or '-', such as 'orders-run'.",
        )
    return given


def cluster(given: Any) -> Any:
    """Return a cluster, or None."""
    if given is not None and not hasattr(given, "client_config"):
        raise InvalidSetting(
            "The cluster of a run is a Cluster.",
            f"You gave {shown(given)}.",
            "Pass what Cluster.start() returned, or nothing: the clients know where they are.",
        )
    return given


def client(given: object, kind: type, call: str) -> None:
    """Refuse what is no client of kafka-python of this kind."""
    if not isinstance(given, kind):
        raise InvalidSetting(
            f"{call} takes a {kind.__name__}.",
            f"You gave {shown(given)}.",
            "Record another client by hand, with run.recorder(...).",
        )


def columns(given: Any, wanted: tuple[str, ...], call: str) -> Any:
    """Return a frame that has these columns."""
    there = getattr(given, "columns", ())
    missing = [column for column in wanted if column not in there]
    if missing:
        raise InvalidSetting(
            f"{call} wants a frame with the columns {', '.join(wanted)}.",
            f"There is no {' and no '.join(missing)} in {shown(given)}.",
            "Name the columns so: frame.rename(columns=...).",
        )
    return given


def effects(frame: pd.DataFrame | None, names: Names) -> tuple[Column, Column] | None:
    """Return the partition and the offset of the record that each effect is of."""
    if frame is None:
        return None
    table = columns(frame, EFFECT, "verify(effects=...)")
    try:
        offset = table["offset"].to_numpy(np.int64)
        places = list(zip(table["topic"], table["partition"].astype(int), strict=True))
    except (TypeError, ValueError) as error:
        raise InvalidSetting(
            "The effects name no records.",
            f"Their partition or offset gave: {' '.join(str(error).split())[:120]}.",
            "Give one row an effect, with the topic, partition and offset of its record.",
        ) from None
    return np.array([names.part(str(t), int(p)) for t, p in places], np.int64), offset
