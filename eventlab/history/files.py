"""Histories as files: the columns of a run in one .npz, its names as JSON, nothing to execute."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from eventlab.errors import HistoryUnreadable
from eventlab.history.tables import (
    OUTCOMES,
    WHAT,
    WIDTHS,
    Column,
    Events,
    Evidence,
    Log,
    Process,
    Reads,
    Sends,
)

FORM = "eventlab-history-1"
TABLES: dict[str, Any] = {"sends": Sends, "reads": Reads, "events": Events, "log": Log}


def save(path: Path, evidence: Evidence, about: dict[str, Any]) -> None:
    """Write a history; `about` is what is known of its cluster."""
    columns = {
        f"{table}.{name}": getattr(getattr(evidence, table), name)
        for table, kind in TABLES.items()
        for name in (WIDTHS[kind] if getattr(evidence, table) else ())
    }
    text = json.dumps({"form": FORM, "about": about, **_names(evidence)})
    with path.open("wb") as file:
        np.savez(file, names=np.frombuffer(text.encode(), np.uint8), **columns)


def _names(evidence: Evidence) -> dict[str, Any]:
    log = evidence.log
    return {
        "name": evidence.name,
        "begun": evidence.begun,
        "parts": evidence.parts,
        "processes": [asdict(process) for process in evidence.processes],
        "keys": [None if k is None else base64.b64encode(k).decode() for k in evidence.keys],
        "errors": evidence.errors,
        "read": {"begun": log.begun, "unread": log.unread} if log else None,
    }


def load(path: Path) -> tuple[Evidence, dict[str, Any]]:
    """Read a history and what is known of its cluster.

    HistoryUnreadable when there is no such file, when it is something else, or is damaged.
    """
    try:
        return _load(path)
    except Exception as error:  # what zipfile, numpy and json make of damage is not to be listed
        missing = isinstance(error, FileNotFoundError)
        raise HistoryUnreadable(
            "There is no such file." if missing else "This file is no history, or it is damaged.",
            f"Reading {path.name} gave: {' '.join(str(error).split())[:200]}.",
            "Give the path that run.save() returned.",
        ) from None


def _load(path: Path) -> tuple[Evidence, dict[str, Any]]:
    with ZipFile(path) as archive:
        if any(item.compress_type != ZIP_STORED for item in archive.infolist()):
            raise ValueError("it is compressed")  # a small file might become a large one
    with np.load(path, allow_pickle=False) as file:
        told = json.loads(file["names"].tobytes())
        if told["form"] != FORM:
            raise ValueError(f"its form is {told['form']!r}")
        tables = {name: _table(file, name, kind) for name, kind in TABLES.items() if name != "log"}
        log = _log(file, **told["read"]) if told["read"] else None
    evidence = Evidence(
        name=str(told["name"]),
        begun=int(told["begun"]),
        parts=[(str(topic), int(partition)) for topic, partition in told["parts"]],
        processes=[Process(**process) for process in told["processes"]],
        keys=[None if key is None else base64.b64decode(key) for key in told["keys"]],
        errors=[str(error) for error in told["errors"]],
        **tables,
        log=log,
    )
    _check(evidence)
    return evidence, dict(told["about"])


def _table(file: Any, name: str, kind: Any) -> Any:
    return kind(**_columns(file, name, kind))


def _log(file: Any, begun: int, unread: list[str]) -> Log:
    columns: dict[str, Any] = _columns(file, "log", Log)
    return Log(**columns, begun=int(begun), unread=tuple(map(str, unread)))


def _columns(file: Any, table: str, kind: Any) -> dict[str, Column]:
    columns = {name: file[f"{table}.{name}"] for name in WIDTHS[kind]}
    for name, column in columns.items():
        if column.dtype != np.dtype(WIDTHS[kind][name]) or column.ndim != 1:
            raise ValueError(f"the column {table}.{name} is {column.dtype}, {column.ndim}-d")
    return columns


def _check(evidence: Evidence) -> None:
    """Refuse columns that do not fit each other: the judge takes them as they are."""
    sends, reads, events, log = evidence.sends, evidence.reads, evidence.events, evidence.log
    parts, processes = len(evidence.parts), len(evidence.processes)
    _equal("sends", *vars(sends).values())
    _equal("events", *vars(events).values())
    _equal("polls", reads.process, reads.part, reads.epoch, reads.time, reads.count)
    _equal("reads", reads.offset, reads.check)
    if reads.count.sum() != len(reads.offset):
        raise ValueError("the polls of its reads count other records than there are")
    for table in (sends, reads, events):
        _inside("process", table.process, 0, processes)
        _inside("part", table.part, -(table is events), parts)
    for table in (sends, events):
        _inside("outcome", table.outcome, 0, len(OUTCOMES))
        _inside("error", table.error, 0, len(evidence.errors))
    _inside("what", events.what, 0, len(WHAT))
    _inside("key", sends.key, -1, len(evidence.keys))
    _inside("count", reads.count, 1, 2**40)
    if log:
        _equal("log", log.part, log.offset, log.check, log.time)
        _equal("edges", log.start, log.end, log.reached, log.compacted, np.zeros(parts))
        _inside("part", log.part, 0, parts)
        _rising(log)


def _equal(what: str, *columns: Column) -> None:
    if len({len(column) for column in columns}) != 1:
        raise ValueError(f"the columns of its {what} differ in length")


def _inside(what: str, column: Column, least: int, beyond: int) -> None:
    if len(column) and not (least <= column.min() and column.max() < beyond):
        raise ValueError(f"a number of its {what} is outside {least} to {beyond - 1}")


def _rising(log: Log) -> None:
    same = log.part[1:] == log.part[:-1]
    up = (log.part[1:] > log.part[:-1]) | (same & (log.offset[1:] > log.offset[:-1]))
    first, last = log.start[log.part], log.reached[log.part]
    if not up.all() or ((log.offset < first) | (log.offset >= last)).any() or (log.start < 0).any():
        raise ValueError("the records of its log are not in their order")
