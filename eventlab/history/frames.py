"""A history as plain DataFrames: operations, sends, reads, assignments."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eventlab.history.owners import Owning, owning
from eventlab.history.tables import (
    ASSIGN,
    COMMIT,
    HANDLE,
    OK,
    OUTCOMES,
    POLL,
    SEEK,
    SEND,
    WHAT,
    Column,
    Evidence,
    Log,
)
from eventlab.history.words import of_event, places, utc, words

OPERATIONS = ["op", "process", "client", "group_id", "type", "f", "topic", "partition", "offset"]
OPERATIONS += ["event_id", "key_id", "producer_seq", "generation", "time", "error"]


def sends(evidence: Evidence) -> pd.DataFrame:
    """Return a row for each send."""
    table, op = evidence.sends, _numbers(evidence)[0]
    return pd.DataFrame(
        {
            "op": op,
            **_who(evidence, table.process),
            "type": words(OUTCOMES, table.outcome),
            **places(evidence.parts, table.part),
            "offset": table.offset,
            "event_id": np.arange(len(op)),
            "key_id": table.key,
            "producer_seq": table.seq,
            "time": utc(table.time),
            "answered": utc(np.where(table.ended > 0, table.ended, np.iinfo(np.int64).min)),
            "error": words(evidence.errors, table.error),
        }
    )


def reads(evidence: Evidence) -> pd.DataFrame:
    """Return a row for each record that was read, in the order of reading."""
    table = evidence.reads
    poll = np.repeat(np.arange(len(table.count)), table.count)
    event = _read_events(evidence, table.part[poll])
    return pd.DataFrame(
        {
            **_who(evidence, table.process[poll]),
            **places(evidence.parts, table.part[poll]),
            "offset": table.offset,
            "event_id": event,
            "key_id": of_event(evidence.sends.key, event),
            "producer": of_event(evidence.sends.process, event),
            "producer_seq": of_event(evidence.sends.seq, event),
            "time": utc(table.time[poll]),
        }
    ).sort_values("time", kind="stable", ignore_index=True)


def assignments(evidence: Evidence) -> pd.DataFrame:
    """Return a row for each time that a client got or gave up a partition."""
    columns = list(zip(*owning(evidence), strict=True)) or [()] * len(Owning._fields)
    time, process, part, owned, generation = (np.array(each, np.int64) for each in columns)
    return pd.DataFrame(
        {
            "time": utc(time),
            **_who(evidence, process),
            **places(evidence.parts, part),
            "owned": owned == 1,
            "generation": generation,
        }
    )


def operations(evidence: Evidence) -> pd.DataFrame:
    """Return every operation, in the order of time."""
    made = [_send_rows(evidence), _poll_rows(evidence), _event_rows(evidence)]
    whole = pd.concat([table for table in made if len(table)] or made[:1])
    groups = [*(group or "" for group in evidence.groups), ""]
    whole["group_id"] = words(groups, whole["process"].to_numpy())
    return whole.sort_values(["time", "op"], kind="stable", ignore_index=True)[OPERATIONS]


def _send_rows(evidence: Evidence) -> pd.DataFrame:
    begun = sends(evidence).assign(f=WHAT[SEND], generation=-1)
    ended = begun[begun["answered"].notna()]
    ended = ended.assign(time=ended["answered"])
    return pd.concat([begun.assign(type="invoke", offset=-1, error=""), ended])


def _poll_rows(evidence: Evidence) -> pd.DataFrame:
    table = reads(evidence)
    op = _numbers(evidence)[1]
    order = np.argsort(np.repeat(evidence.reads.time, evidence.reads.count), kind="stable")
    table["op"] = np.repeat(op, evidence.reads.count)[order]
    return table.assign(f=WHAT[POLL], type="ok", generation=-1, error="")


def _event_rows(evidence: Evidence) -> pd.DataFrame:
    events, op = evidence.events, _numbers(evidence)[2]
    about = np.isin(events.what, (SEEK, COMMIT, HANDLE))
    return pd.DataFrame(
        {
            "op": op,
            **_who(evidence, events.process),
            "type": words(OUTCOMES, events.outcome),
            "f": words(WHAT, events.what),
            **places(evidence.parts, events.part),
            "offset": np.where(about, events.number, -1),
            "event_id": -1,
            "key_id": -1,
            "producer_seq": -1,
            "generation": np.where(events.what == ASSIGN, events.number, -1),
            "time": utc(events.begun),
            "error": words(evidence.errors, events.error),
        }
    )


def _numbers(evidence: Evidence) -> list[Column]:
    """Return the numbers of the sends, polls and events, by the time when each began."""
    times = [evidence.sends.time, evidence.reads.time, evidence.events.begun]
    whole = np.concatenate(times)
    number = np.empty(len(whole), np.int64)
    number[np.argsort(whole, kind="stable")] = np.arange(len(whole))
    return np.split(number, np.cumsum([len(column) for column in times])[:-1])


def _read_events(evidence: Evidence, part: Column) -> Column:
    """Return the event of each record that was read: by the log, or by acknowledgements alone."""
    from eventlab.history.judge.identify import identify  # the judge's witnesses import this file

    log = evidence.log if evidence.log and len(evidence.log.part) else acknowledged(evidence)
    seen = identify(evidence, log)
    row = seen.index.rows(part, evidence.reads.offset)
    check = np.append(log.check, 0)[row]
    known = (check == evidence.reads.check) | (check == 0) | (evidence.reads.check == 0)
    return np.where(known, np.maximum(np.append(seen.event, -1)[row], -1), -1)


def acknowledged(evidence: Evidence) -> Log:
    """Return the log as far as acknowledgements tell of it."""
    table, count = evidence.sends, len(evidence.parts)
    rows = np.flatnonzero(table.outcome == OK)
    rows = rows[np.lexsort((table.offset[rows], table.part[rows]))]
    part, offset = table.part[rows], table.offset[rows]
    last = np.append((np.diff(part) != 0) | (np.diff(offset) != 0), True) if len(rows) else rows > 0
    rows, part, offset = rows[last], part[last], offset[last]
    start, end = np.zeros((2, count), np.int64)
    first = np.unique(part, return_index=True)
    start[first[0]] = offset[first[1]]
    np.maximum.at(end, part, offset + 1)
    time = table.time[rows] // 1_000_000
    return Log(part, offset, table.check[rows], time, start, end, end, 0, end < 0)


def _who(evidence: Evidence, process: Column) -> dict[str, object]:
    clients = [process.client for process in evidence.processes]
    return {"process": process, "client": words([*clients, ""], process)}
