"""Which send each record of the log is: what was sent is its own identity.

An acknowledged send told its offset, and key and value have to be the same there. Whatever else is
in the log is looked for, by its checksum, among the sends of unknown outcome, then among those
that are missing where they should be, then among all: each record is explained as mildly as can
be. Sends of equal key and value cannot be told apart; they are counted, and never out of order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eventlab.history.judge.index import Index
from eventlab.history.judge.order import count_within, pair
from eventlab.history.tables import FAIL, OK, Column, Evidence, Log

NOBODY, BEFORE = -1, -2  # in place of an event: nobody of the run sent it, it is older than the run


@dataclass(frozen=True)
class Identified:
    """For each record of the log which event it is, and for each send whether it is there."""

    log: Log
    index: Index
    event: Column
    copy: Column  # a further record of an event that is there already
    moved: Column  # elsewhere than at the offset that was acknowledged
    sure: Column  # no other send could be it as well
    placed: Column  # of each send


def identify(evidence: Evidence, log: Log) -> Identified:
    """Find out which send each record of the log is."""
    sends, index = evidence.sends, Index(log)
    row = index.rows(sends.part, sends.offset)
    event = np.full(len(log.offset) + 1, NOBODY, np.int32)
    told = np.flatnonzero((sends.outcome > FAIL) & (sends.offset >= 0))  # in a transaction
    event[row[told]] = told
    row[sends.outcome != OK] = -1
    event[row] = np.arange(len(row))  # of two that were acknowledged at one offset, the later one
    event = event[:-1]
    event[~_is_what_was_sent(event, sends.check, log.check)] = NOBODY
    no = np.zeros(len(event), bool)
    found = Identified(log, index, event, no, no.copy(), ~no, np.zeros(len(row), bool))
    found.placed[event[event >= 0]] = True
    _explain_the_rest(evidence, found)
    return found


def _is_what_was_sent(event: Column, sent: Column, logged: Column) -> Column:
    if not len(sent):
        return np.zeros(len(event), bool)
    check = sent.take(event, mode="clip")
    same: Column = (check == logged) | (check == 0) | (logged == 0)
    return same


def _explain_the_rest(evidence: Evidence, found: Identified) -> None:
    log, sends = found.log, evidence.sends
    rest = np.flatnonzero(found.event == NOBODY)
    old = (log.time[rest] >= 0) & (log.time[rest] < evidence.begun // 1_000_000)
    found.event[rest[old]] = BEFORE
    rest = rest[~old & (log.check[rest] != 0)]
    if not len(rest):
        return
    topic, anywhere = _topics(evidence)
    found.sure[rest] = _alone(evidence, found, rest, topic)
    open_ = ~np.isin(sends.outcome, (OK, FAIL))
    placeless = anywhere[sends.part]
    rest = _claim(evidence, found, rest, open_ & ~placeless, None)
    rest = _claim(evidence, found, rest, open_ & placeless, topic)
    kept = sends.offset >= log.start[sends.part]  # what retention removed is nowhere else
    for where in (None, topic):
        missing = (sends.outcome == OK) & ~found.placed & kept
        left = _claim(evidence, found, rest, missing, where)
        found.moved[np.setdiff1d(rest, left)] = True
        rest = left
    once = np.array([p.settings.get("enable_idempotence", False) for p in evidence.processes], bool)
    for source in (found.placed & ~once[sends.process], found.placed):
        for where in (None, topic):
            rest = _copy(evidence, found, rest, source, where)
    _claim(evidence, found, rest, sends.outcome == FAIL, topic)


def _topics(evidence: Evidence) -> tuple[Column, Column]:
    """Return the number of each partition's topic, and which are a partition nobody knows."""
    names = sorted({topic for topic, _ in evidence.parts})
    topic = np.array([names.index(topic) for topic, _ in evidence.parts], np.int64)
    return topic, np.array([partition < 0 for _, partition in evidence.parts], bool)


def _alone(evidence: Evidence, found: Identified, rest: Column, topic: Column) -> Column:
    """Say which records are the only ones of their content, and can be one send alone."""
    log, sends = found.log, evidence.sends
    alike = np.flatnonzero(np.isin(sends.check, log.check[rest]) & (sends.outcome != FAIL))
    sent = np.sort(_keys(sends.part[alike], sends.check[alike], topic))
    wanted = _keys(log.part[rest], log.check[rest], topic)
    count = np.searchsorted(sent, wanted, side="right") - np.searchsorted(sent, wanted)
    again = np.unique(wanted[count_within(wanted) > 0])
    alone: Column = (count <= 1) & ~np.isin(wanted, again)
    return alone


def _keys(part: Column, check: Column, topic: Column | None) -> Column:
    """Return what is equal for equal records of one partition, or of one topic."""
    place: Column = (part if topic is None else topic[part]).astype(np.int64)
    return place << 32 | check


def _claim(
    evidence: Evidence, found: Identified, rest: Column, offered: Column, topic: Column | None
) -> Column:
    """Explain records by sends of this kind, each by one; return those that are left."""
    log, sends, offer = found.log, evidence.sends, np.flatnonzero(offered)
    if not len(rest) or not len(offer):
        return rest
    wanted = _keys(log.part[rest], log.check[rest], topic)
    taken = pair(wanted, _keys(sends.part[offer], sends.check[offer], topic))
    got = taken >= 0
    found.event[rest[got]] = offer[taken[got]]
    found.placed[offer[taken[got]]] = True
    return rest[~got]


def _copy(
    evidence: Evidence, found: Identified, rest: Column, offered: Column, topic: Column | None
) -> Column:
    """Explain records as copies of what is in the log already; return those that are left."""
    log, sends, offer = found.log, evidence.sends, np.flatnonzero(offered)
    if not len(rest) or not len(offer):
        return rest
    keys = _keys(sends.part[offer], sends.check[offer], topic)
    order = np.argsort(keys, kind="stable")
    wanted = _keys(log.part[rest], log.check[rest], topic)
    place = np.searchsorted(keys[order], wanted)
    got = np.append(keys[order], -1)[place] == wanted
    found.event[rest[got]] = offer[order[place[got]]]
    found.copy[rest[got]] = True
    left: Column = rest[~got]
    return left
