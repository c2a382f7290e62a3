"""The names of what can be wrong, what each means to a learner, and where to look next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple

from eventlab.errors import InvalidSetting, shown


class Anomaly(NamedTuple):
    """What a kind of anomaly means, and what to look at when it is there."""

    meaning: str
    next: str


ANOMALIES = {
    "lost": Anomaly(
        "The cluster acknowledged these records, and the log does not have them.",
        "Look at the producer's acks, the topic's min.insync.replicas, and who led the partition.",
    ),
    "phantom": Anomaly(
        "The log has records that no client of this run sent, or whose send had failed.",
        "Does somebody who is not recorded write to this topic? Then allow={'phantom'}.",
    ),
    "duplicate": Anomaly(
        "The log has an event more than once.",
        "Look at the producer's enable_idempotence, and whether one value was sent twice.",
    ),
    "moved": Anomaly(
        "A record is elsewhere than where its acknowledgement said.",
        "Look at who led the partition: a leader that lost its log numbers records anew.",
    ),
    "reordered": Anomaly(
        "Records of one producer are in a partition in another order than they were sent.",
        "Look at enable_idempotence and max_in_flight_requests_per_connection.",
    ),
    "key split": Anomaly(
        "Records of one key are in more than one partition, so their order is not kept.",
        "Were partitions added, or was the key written by another partitioner?",
    ),
    "torn": Anomaly(
        "A part of a transaction is in the log, and a part is not.",
        "Look at how the transaction ended; after an error start a new producer.",
    ),
    "dirty read": Anomaly(
        "A consumer was given records that are not in the log in the end.",
        "Look at isolation_level, and at leaders that lost what followers had not copied.",
    ),
    "non-monotonic": Anomaly(
        "A consumer went back without being told to.",
        "Look at what it read before and after; without a seek or rebalance offsets only rise.",
    ),
    "skipped": Anomaly(
        "Records were passed over: later ones were read or committed, these never.",
        "Look at what was committed, at auto_offset_reset, and for members not recorded.",
    ),
    "redelivered": Anomaly(
        "A group was given records more than once.",
        "Look at commits: after a crash, a rebalance or a seek it begins at the last one.",
    ),
    "unseen": Anomaly(
        "Records are in the log and were not given to a group.",
        "Did it begin with auto_offset_reset='latest', or stop before the end? See its lag.",
    ),
    "two owners": Anomaly(
        "Two members of a group owned a partition at the same time.",
        "Look at run.assignments(), session_timeout_ms and max_poll_interval_ms.",
    ),
    "commit moved back": Anomaly(
        "A group committed a lower offset than before.",
        "Look at who committed: run.operations() with f == 'commit'.",
    ),
    "commit ahead": Anomaly(
        "A group committed records that it had not been given yet; a crash would skip them.",
        "Commit the offset of the last record that was handled, plus one.",
    ),
    "committed early": Anomaly(
        "Records were committed before they were handled; a crash in between loses their effect.",
        "Handle first, then commit; enable_auto_commit=False leaves it to you.",
    ),
    "effect missing": Anomaly(
        "Records had no effect.",
        "Look at what the handler did with them, and at commits before it was done.",
    ),
    "effect doubled": Anomaly(
        "Records had their effect more than once.",
        "Make the handler idempotent: let the database refuse (topic, partition, offset) twice.",
    ),
    "stalled": Anomaly(
        "After a fault was mended, nothing was acknowledged for too long.",
        "Look at leaders and in-sync replicas after the fault.",
    ),
}


def known(names: Iterable[str], what: str) -> frozenset[str]:
    """Return these names of anomalies; InvalidSetting when one is none."""
    given = [names] if isinstance(names, str) else list(names)
    for name in given:
        if name not in ANOMALIES:
            near = difflib.get_close_matches(str(name), ANOMALIES, 1)
            raise InvalidSetting(
                f"{what} names no anomaly.",
                f"You gave {shown(name)}; there are {', '.join(ANOMALIES)}.",
                f"Did you mean {near[0]!r}?" if near else "Use one of them, such as 'duplicate'.",
            )
    return frozenset(given)
