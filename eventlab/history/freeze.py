"""From the arrays that clients append to, to the tables that are judged, saved and shown."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from eventlab.history.names import NO_KEY, Names
from eventlab.history.recorder import Recorder
from eventlab.history.tables import (
    INFO,
    OK,
    PENDING,
    TXN,
    WIDTHS,
    Column,
    Events,
    Evidence,
    Log,
    Process,
    Reads,
    Sends,
)

STRAY = ("outcome", "offset", "error", "ended")


def freeze(
    name: str, begun: int, names: Names, recorders: Sequence[Recorder], log: Log | None = None
) -> Evidence:
    """Return what was recorded so far; what is recorded meanwhile is in the next one."""
    processes: list[Process] = []
    sends, reads, events = [], [], []
    for recorder in recorders:
        first = len(processes)
        sends.append(_sends(recorder, first))
        reads.append(_reads(recorder, first))
        events.append(_events(recorder, first))
        who = Process(recorder.client, recorder.group_id, recorder.settings)
        processes += [who] * max(1, len(recorder._threads))
    keys = _number_keys(sends)
    kept = {number: key for key, (number, _) in list(names.keys.items())}
    return Evidence(
        name=name,
        begun=begun,
        parts=list(names.parts),
        processes=processes,
        keys=[kept.get(int(number)) for number in keys],
        errors=list(names.errors),
        sends=Sends(**_merge(sends, Sends, "time")),
        reads=Reads(**_merge(reads, Reads, None)),
        events=Events(**_merge(events, Events, "begun")),
        log=log,
    )


def _rows(numbers: array[int], wide: int) -> Column:
    """Return a copy as rows; other threads may append meanwhile, which a view would forbid them."""
    return np.frombuffer(numbers.tobytes(), np.int64).reshape(-1, wide)


def _sends(recorder: Recorder, first: int) -> dict[str, Column]:
    rows = _rows(recorder._sends, 4)  # before the answers: each of its rows has one already
    answers = _rows(recorder._answers, 4)
    part, base, ended, told = answers[rows[:, 3] >> 24].T
    thread = (rows[:, 2] >> 33) - 1
    table = {
        "process": first + thread,
        "part": part,
        "outcome": told >> 32,
        "offset": np.where(base < 0, -1, base + (rows[:, 3] & 0xFFFFFF)),
        "check": rows[:, 2] & 0xFFFFFFFF,
        "key": rows[:, 1],
        "seq": _count_within(thread),
        "explicit": rows[:, 2] >> 32 & 1,
        "txn": np.full(len(rows), -1),
        "error": told & 0xFFFFFFFF,
        "time": rows[:, 0],
        "ended": ended.copy(),
    }
    _take_strays(table, rows[:, 3], recorder._strays)
    _end_transactions(table, _rows(recorder._events, 7))
    return table


def _take_strays(table: dict[str, Column], code: Column, strays: dict[int, Any]) -> None:
    """Fill in the records whose answer did not come for their batch as a whole."""
    for row in np.flatnonzero(np.isin(code, list(strays))) if strays else ():
        for name, value in zip(STRAY, strays[int(code[row])], strict=True):
            table[name][row] = value


def _end_transactions(table: dict[str, Column], marks: Column) -> None:
    """Let no send be surer than its transaction: what was aborted did not happen."""
    marks = marks[marks[:, 2] == TXN]
    begins = marks[marks[:, 3] == PENDING]
    if not len(begins):
        return
    ends = marks[marks[:, 3] != PENDING]
    outcome, until = np.full(len(begins), INFO), np.full(len(begins), np.iinfo(np.int64).max)
    outcome[ends[:, 5]] = ends[:, 3]  # of two ends, such as a commit that failed, the last counts
    until[ends[::-1, 5]] = ends[::-1, 0]
    txn = np.searchsorted(begins[:, 0], table["time"], side="right") - 1
    txn[table["time"] > until[txn]] = -1
    unsure = (txn >= 0) & (table["outcome"] == OK) & (outcome[txn] != OK)
    table["outcome"] = np.where(unsure, outcome[txn], table["outcome"])
    table["txn"] = txn


def _reads(recorder: Recorder, first: int) -> dict[str, Column]:
    polls = _rows(recorder._polls, 3)  # before the records: each of its rows has them already
    count = int(polls[:, 2].sum())
    return {
        "process": np.full(len(polls), first),
        "part": polls[:, 1] >> 32,
        "epoch": polls[:, 1] & 0xFFFFFFFF,
        "time": polls[:, 0],
        "count": polls[:, 2],
        "offset": np.frombuffer(recorder._offsets.tobytes(), np.int64)[:count],
        "check": np.frombuffer(recorder._checks.tobytes(), np.uint32)[:count],
    }


def _events(recorder: Recorder, first: int) -> dict[str, Column]:
    rows = _rows(recorder._events, 7)
    names = ("begun", "ended", "what", "outcome", "part", "number", "error")
    columns = {name: rows[:, place] for place, name in enumerate(names)}
    return {"process": np.full(len(rows), first), **columns}


def _merge(tables: list[dict[str, Column]], kind: Any, by: str | None) -> dict[str, Column]:
    """Return the tables of all clients as one, in the order of time if there is one."""
    whole = {
        name: np.concatenate([table[name] for table in tables] or [np.zeros(0)]).astype(width)
        for name, width in WIDTHS[kind].items()
    }
    if by is None:
        return whole
    order = np.argsort(whole[by], kind="stable")
    return {name: column[order] for name, column in whole.items()}


def _number_keys(tables: list[dict[str, Column]]) -> Column:
    """Number the keys of all clients 0, 1, 2 ..., -1 where there is none; return their hashes."""
    sent = np.concatenate([np.zeros(0, np.int64), *(table["key"] for table in tables)])
    keyed = sent != NO_KEY
    numbers, hashes = pd.factorize(sent[keyed])
    sent[keyed] = numbers
    ends = np.cumsum([len(table["key"]) for table in tables])
    for table, of_one in zip(tables, np.split(sent, ends), strict=False):
        table["key"] = of_one
    names: Column = hashes
    return names


def _count_within(group: Column) -> Column:
    """Return 0, 1, 2 ... within each group, in the order of the rows."""
    if not group.any():
        return np.arange(len(group))
    order = np.argsort(group, kind="stable")
    count = np.empty(len(group), np.int64)
    count[order] = np.arange(len(group)) - np.searchsorted(group[order], group[order])
    return count
