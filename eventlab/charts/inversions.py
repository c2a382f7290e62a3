"""Which reads came after a record that was produced later, and how far that reaches.

Arrays in, arrays out, with a few sorts and no loop: a million reads take a few times `np.sort`.
"""

from __future__ import annotations

import numpy as np

from eventlab.charts import groups
from eventlab.charts.groups import Array

KINDS = ("in_order", "across", "in_partition", "in_key", "again")
IN_ORDER, ACROSS, IN_PARTITION, IN_KEY, AGAIN = range(len(KINDS))
_ROOM = 1 << 62


def classify(
    produced: Array, partition: Array, key: Array, identity: Array, producer: Array | None = None
) -> Array:
    """Return the kind of each read, in read order.

    `produced` is the place in the order of producing, of each `producer` where they are given;
    `key` is -1 for none, `identity` the same for two reads of one record, -1 where nobody knows.
    """
    overtaken = overtaken_within(produced, producer)
    kinds = overtaken.view("int8")  # 1 where it is, as ACROSS
    if overtaken.any():  # where nothing was overtaken at all, nothing was within a part
        partition, part_key = _within(partition, producer), _within(key, producer)
        late = overtaken_within(produced, partition)
        kinds += late.view("int8")  # who is overtaken within a partition is overtaken
        rows = _overtaken_in_keys(produced, partition, part_key, late)
        kinds[rows[key[rows] >= 0]] = IN_KEY
    kinds[repeated(identity)] = AGAIN
    return kinds


def _within(of: Array, producer: Array | None) -> Array:
    """Return groups that tell apart what several producers sent."""
    return of if producer is None else groups.dense(of) * (int(producer.max()) + 1) + producer


def overtaken_within(produced: Array, of: Array | None) -> Array:
    """Say which reads came after a record of the same group that was produced later."""
    if of is None:
        return np.asarray(produced < np.maximum.accumulate(produced))
    of = groups.dense(of)
    span = int(produced.max()) - int(produced.min()) + 1
    if span * (int(of.max()) + 1) >= _ROOM:
        produced = np.unique(produced, return_inverse=True)[1]
        span = len(produced)
    lifted = of * span  # each group lies above the one before, so that one maximum serves all
    lifted += produced
    order = groups.order(of)
    lifted = lifted[order]
    found = np.zeros(len(produced), bool)
    found[order[lifted < np.maximum.accumulate(lifted)]] = True
    return found


def _overtaken_in_keys(produced: Array, partition: Array, key: Array, late: Array) -> Array:
    """Return the places of reads that came after a record of the same key produced later.

    Only keys with a read that is late in its partition can have one, unless a key is in two
    partitions: then its records may overtake each other without that.
    """
    key = groups.dense(key)
    home = np.empty(int(key.max()) + 1, partition.dtype)
    home[key] = partition
    if (home[key] != partition).any():
        return np.flatnonzero(overtaken_within(produced, key))
    suspect = np.zeros(len(home), bool)
    suspect[key[late]] = True
    rows = np.flatnonzero(suspect[key])
    return rows[overtaken_within(produced[rows], key[rows])] if len(rows) else rows


def repeated(identity: Array) -> Array:
    """Return the places of rows with an identity, from 0, that an earlier row has as well."""
    known = np.flatnonzero(identity >= 0)
    values = identity if len(known) == len(identity) else identity[known]
    if not len(known) or np.bincount(groups.dense(values)).max() == 1:
        return known[:0]
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    again: Array = known[order[1:][ordered[1:] == ordered[:-1]]]
    return again
