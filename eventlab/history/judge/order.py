"""Rows by group, in their order."""

from __future__ import annotations

import numpy as np

from eventlab.history.tables import Column


def count_within(group: Column) -> Column:
    """Return 0, 1, 2 ... within each group, in the order of the rows."""
    if not len(group) or (group == group[0]).all():
        return np.arange(len(group))
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    count = np.empty(len(group), np.int64)
    count[order] = np.arange(len(group)) - np.searchsorted(ordered, ordered)
    return count


def by_group(group: Column) -> Column | slice:
    """Return what puts the rows of a group side by side and keeps their order."""
    if len(group) < 2 or (group[1:] >= group[:-1]).all():
        return slice(None)
    if group.min() >= 0 and group.max() < 2**16:
        group = group.astype(np.uint16)  # which numpy sorts by radix
    return np.argsort(group, kind="stable")


def pair(wanted: Column, offered: Column) -> Column:
    """Give each of `wanted` one equal of `offered`, in order, each once; -1 when none is left."""
    order = np.argsort(offered, kind="stable")
    ordered, turn = offered[order], count_within(wanted)
    first = np.searchsorted(ordered, wanted)
    found = np.full(len(wanted), -1, np.int64)
    there = turn < np.searchsorted(ordered, wanted, side="right") - first
    found[there] = order[(first + turn)[there]]
    return found
