"""Clean histories, and what is left of one when somebody has tampered with it.

Each mutant is a function of the evidence and of dice; its name says what was done, and EXPECTED
which anomalies have to be named.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from eventlab.history.tables import ASSIGN, COMMIT, FAIL, HANDLE, REVOKE, Evidence
from tests.unit.history.story import P0, P1, Story

Mutant = Callable[[Evidence, random.Random], Evidence]


def clean(seed: int) -> Evidence:
    """Return a history of two producers and a group of two, in which all is well."""
    dice, story = random.Random(seed), Story()
    producers = [story.producer("one"), story.producer("two")]
    one, two = story.consumer(), story.consumer()
    story.own(one, 1, [P0])
    story.own(two, 1, [P1])
    for number in range(dice.randint(30, 60)):
        part = (P0, P1)[number % 2]
        story.send(dice.choice(producers), b"%d" % number, part, key=b"%d" % part[1])
    for consumer, part in ((one, P0), (two, P1)):
        for record in story.logs[part]:
            story.poll(consumer, [record.offset], part)
            consumer.handled(*part, record.offset, at=story.tick())
            if dice.random() < 0.3:
                consumer.committed({part: record.offset + 1}, at=story.tick())
        consumer.committed({part: story.ends[part]}, at=story.tick())
    one.revoked([P0], at=story.tick())
    story.own(two, 2, [P0])
    return story.evidence()


def change(evidence: Evidence, table: str, **columns: Any) -> Evidence:
    """Return the evidence with other columns in one of its tables."""
    return replace(evidence, **{table: replace(getattr(evidence, table), **columns)})


def altered(column: np.ndarray, row: int, value: Any) -> np.ndarray:
    """Return a column with another value in a row."""
    made = column.copy()
    made[row] = value
    return made


def rows_of(evidence: Evidence, table: str, keep: np.ndarray) -> dict[str, np.ndarray]:
    """Return these rows of all columns of a table."""
    found = getattr(evidence, table)
    return {
        name: column[keep]
        for name, column in vars(found).items()
        if isinstance(column, np.ndarray) and len(column) == len(found.part)
    }


def inner(evidence: Evidence, dice: random.Random) -> int:
    """Return a row of the log that has others of its partition on both sides."""
    part = evidence.log.part
    rows = [row for row in range(1, len(part) - 1) if part[row - 1] == part[row] == part[row + 1]]
    return dice.choice(rows)


def log_record_dropped(evidence, dice):
    keep = np.arange(len(evidence.log.part)) != inner(evidence, dice)
    return change(evidence, "log", **rows_of(evidence, "log", keep))


def log_record_repeated(evidence, dice):
    log = evidence.log
    order = np.insert(np.arange(len(log.part)), len(log.part), inner(evidence, dice))
    columns = rows_of(evidence, "log", order)
    last = int(log.part[-1])
    columns["part"][-1], columns["offset"][-1] = last, log.end[last]
    end = altered(log.end, last, log.end[last] + 1)
    return change(evidence, "log", **columns, end=end, reached=end)


def log_records_swapped(evidence, dice):
    row = inner(evidence, dice)
    order = np.arange(len(evidence.log.part))
    order[[row, row + 1]] = row + 1, row
    return change(evidence, "log", check=evidence.log.check[order])


def log_record_moved(evidence, dice):
    log, row = evidence.log, inner(evidence, dice)
    other = int(1 - log.part[row]) if log.part.max() == 1 else int(log.part[-1])
    at = int(np.searchsorted(log.part, other, side="right"))
    order = np.insert(np.arange(len(log.part)), at, row)
    columns = rows_of(evidence, "log", order)
    columns["part"][at], columns["offset"][at] = other, log.end[other]
    keep = np.arange(len(order)) != row + (row >= at)
    end = altered(log.end, other, log.end[other] + 1)
    columns = {name: column[keep] for name, column in columns.items()}
    return change(evidence, "log", **columns, end=end, reached=end)


def log_record_relabelled(evidence, dice):
    log = evidence.log
    check = altered(log.check, inner(evidence, dice), dice.randint(1, 2**32 - 1))
    return change(evidence, "log", check=check)


def log_record_relabelled_as_another(evidence, dice):
    log, row = evidence.log, inner(evidence, dice)
    return change(evidence, "log", check=altered(log.check, row, log.check[row - 1]))


def log_cut_off(evidence, dice):
    log = evidence.log
    part = int(log.part[-1])
    end = altered(log.end, part, log.end[part] - dice.randint(1, 5))
    keep = ~((log.part == part) & (log.offset >= end[part]))
    columns = rows_of(evidence, "log", keep)
    return change(evidence, "log", **columns, end=end, reached=end)


def acknowledgement_moved(evidence, dice):
    sends, row = evidence.sends, dice.randrange(len(evidence.sends.part))
    return change(evidence, "sends", offset=altered(sends.offset, row, 10**6))


def acknowledgement_made_a_refusal(evidence, dice):
    sends, row = evidence.sends, dice.randrange(len(evidence.sends.part))
    made = {"outcome": altered(sends.outcome, row, FAIL), "offset": altered(sends.offset, row, -1)}
    return change(evidence, "sends", **made)


def sends_swapped(evidence, dice):
    """Let one thread have sent the later of two records first."""
    sends = evidence.sends
    pairs = [
        (row, other)
        for row in range(len(sends.part))
        for other in range(row + 1, len(sends.part))
        if sends.process[row] == sends.process[other] and sends.part[row] == sends.part[other]
    ]
    row, other = dice.choice(pairs)
    order = np.arange(len(sends.part))
    order[[row, other]] = other, row
    columns = ("offset", "check", "key", "ended")
    return change(evidence, "sends", **{name: getattr(sends, name)[order] for name in columns})


def key_sent_elsewhere(evidence, dice):
    sends, row = evidence.sends, dice.randrange(2, len(evidence.sends.part))
    return change(evidence, "sends", key=altered(sends.key, row, 1 - sends.key[row]))


def read_dropped(evidence, dice):
    reads = evidence.reads
    rows = [
        row
        for row in range(1, len(reads.part) - 1)
        if reads.part[row - 1] == reads.part[row] == reads.part[row + 1]
    ]
    keep = np.arange(len(reads.part)) != dice.choice(rows)
    return change(evidence, "reads", **rows_of(evidence, "reads", keep))


def last_read_dropped(evidence, dice):
    """Let a group stop before the end, and commit no further."""
    reads, events = evidence.reads, evidence.events
    keep = np.arange(len(reads.part)) != len(reads.part) - 1
    part, offset = reads.part[-1], reads.offset[-1]
    beyond = (events.part == part) & (events.number >= offset)
    kept = rows_of(evidence, "events", ~(beyond & np.isin(events.what, (COMMIT, HANDLE))))
    return change(change(evidence, "events", **kept), "reads", **rows_of(evidence, "reads", keep))


def read_repeated(evidence, dice):
    row = dice.randrange(len(evidence.reads.part))
    order = np.insert(np.arange(len(evidence.reads.part)), row, row)
    return change(evidence, "reads", **rows_of(evidence, "reads", order))


def reads_swapped(evidence, dice):
    reads = evidence.reads
    row = dice.choice([r for r in range(len(reads.part) - 1) if reads.part[r] == reads.part[r + 1]])
    order = np.arange(len(reads.part))
    order[[row, row + 1]] = row + 1, row
    return change(evidence, "reads", offset=reads.offset[order], check=reads.check[order])


def read_relabelled(evidence, dice):
    reads, row = evidence.reads, dice.randrange(len(evidence.reads.part))
    check = altered(reads.check, row, dice.randint(1, 2**32 - 1))
    return change(evidence, "reads", check=check)


def of_kind(evidence: Evidence, what: int) -> list[int]:
    """Return the rows of events of a kind."""
    return np.flatnonzero(evidence.events.what == what).tolist()


def commits_swapped(evidence, dice):
    """Let the last commit of a partition come first, and one of less come last."""
    events, numbers = evidence.events, evidence.events.number.copy()
    commits = of_kind(evidence, COMMIT)
    part = dice.choice(sorted({int(events.part[row]) for row in commits}))
    rows = [row for row in commits if events.part[row] == part]
    numbers[rows[0]], numbers[rows[-1]] = numbers[rows[-1]], numbers[rows[-1]] - 2
    return change(evidence, "events", number=numbers)


def commit_moved_ahead(evidence, dice):
    events = evidence.events
    first = of_kind(evidence, COMMIT)[0]
    ends = evidence.log.end[events.part[first]]
    return change(evidence, "events", number=altered(events.number, first, ends))


def revocation_dropped(evidence, dice):
    """Let a member keep what another of its generation is given."""
    events = evidence.events
    (revoked,) = of_kind(evidence, REVOKE)
    last = of_kind(evidence, ASSIGN)[-1]
    same = change(evidence, "events", number=altered(events.number, last, 1))
    keep = np.arange(len(events.part)) != revoked
    return change(evidence, "events", **rows_of(same, "events", keep))


def effect_dropped(evidence, dice):
    keep = np.arange(len(evidence.events.part)) != dice.choice(of_kind(evidence, HANDLE))
    return change(evidence, "events", **rows_of(evidence, "events", keep))


def effect_repeated(evidence, dice):
    row = dice.choice(of_kind(evidence, HANDLE))
    order = np.insert(np.arange(len(evidence.events.part)), row, row)
    return change(evidence, "events", **rows_of(evidence, "events", order))


def effect_moved_behind_its_commit(evidence, dice):
    events, row = evidence.events, dice.choice(of_kind(evidence, HANDLE))
    late = events.ended.max() + 1
    made = {"begun": altered(events.begun, row, late), "ended": altered(events.ended, row, late)}
    return change(evidence, "events", **made)


# What each has to be named, and what it may be named besides, by where the dice fell.
EXPECTED: dict[Mutant, tuple[set[str], set[str]]] = {
    log_record_dropped: ({"lost", "dirty read"}, set()),
    log_record_repeated: ({"duplicate", "unseen"}, set()),
    log_records_swapped: ({"moved", "dirty read"}, {"reordered"}),
    log_record_moved: ({"moved", "dirty read", "unseen"}, {"reordered"}),
    log_record_relabelled: ({"lost", "phantom", "dirty read"}, set()),
    log_record_relabelled_as_another: ({"lost", "duplicate", "dirty read"}, set()),
    log_cut_off: ({"lost", "dirty read"}, set()),
    acknowledgement_moved: ({"moved"}, set()),
    acknowledgement_made_a_refusal: ({"phantom"}, set()),
    sends_swapped: ({"reordered"}, set()),
    key_sent_elsewhere: ({"key split"}, set()),
    read_dropped: ({"skipped"}, {"commit ahead"}),
    last_read_dropped: ({"unseen"}, set()),
    read_repeated: ({"non-monotonic", "redelivered"}, set()),
    reads_swapped: ({"non-monotonic", "skipped"}, set()),
    read_relabelled: ({"dirty read"}, set()),
    commits_swapped: ({"commit moved back", "commit ahead"}, set()),
    commit_moved_ahead: ({"commit ahead"}, {"commit moved back"}),
    revocation_dropped: ({"two owners"}, set()),
    effect_dropped: ({"effect missing", "committed early"}, set()),
    effect_repeated: ({"effect doubled"}, set()),
    effect_moved_behind_its_commit: ({"committed early"}, set()),
}
