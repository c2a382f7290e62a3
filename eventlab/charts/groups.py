"""Rows by group: their order, and the rows of each, for groups that are numbers from 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def order(of: Array) -> Array:
    """Return the places of rows group by group, in their order within each."""
    if not len(of) or int(of.max()) < 1 << 16:
        return np.argsort(of.astype("uint16"), kind="stable")  # of 16 bits NumPy sorts by counting
    bits = len(of).bit_length()
    return np.sort((of << bits) | np.arange(len(of))) & ((1 << bits) - 1)


def split(of: Array, parts: int) -> list[Array]:
    """Return for each group the places of its rows."""
    return np.split(order(of), np.cumsum(np.bincount(of, minlength=parts))[:-1])


def codes(values: Array) -> tuple[Array, Array]:
    """Return numbers as places in the sorted list of those there are, and that list."""
    least = int(values.min())
    if values.dtype.kind == "f" or int(values.max()) - least >= 1 << 16:
        known, places = np.unique(values, return_inverse=True)
        return places, known
    places = values - least
    there = np.bincount(places) > 0
    known = np.flatnonzero(there) + least
    return (places if there.all() else (np.cumsum(there) - 1)[places]), known


def dense(of: Array) -> Array:
    """Return any numbers as groups from 0, in their order, not many more than there are rows."""
    least = int(of.min())
    if int(of.max()) - least <= 4 * len(of) + (1 << 16):
        return of - least
    return np.unique(of, return_inverse=True)[1]


def known(values: Array) -> Array:
    """Return the sorted list of the numbers that there are."""
    return codes(values)[1] if len(values) else values


def pairs(one: Array, other: Array) -> Array:
    """Return numbers that are the same for the same pair of numbers from 0, however large."""
    other = dense(other)
    return dense(one).astype("int64") * (int(other.max()) + 1) + other


def longest(of: Array, lengths: Array) -> Array:
    """Return the place of the largest length of each group, the first where several are."""
    rows = order(of)
    group, lengths = of[rows], lengths[rows]
    first = np.flatnonzero(np.append(True, group[1:] != group[:-1])[: len(of)])
    most = np.maximum.reduceat(lengths, first)
    hits = np.flatnonzero(lengths == np.repeat(most, np.diff(np.append(first, len(of)))))
    group = group[hits]
    return np.sort(rows[hits[np.append(True, group[1:] != group[:-1])]])
