"""Which offsets of which partitions are to be read, and how many records of each at most."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from eventlab.errors import InvalidSetting, shown
from eventlab.observe import messages
from eventlab.observe.checks import Edge
from eventlab.observe.client import Client
from eventlab.observe.logs import of_leaders, offsets_told, state
from eventlab.observe.messages import EARLIEST, LATEST, Partition, Place
from eventlab.waiting import Deadline, wait_until


class Range(NamedTuple):
    """The offsets of a partition from `start` up to, but without, `end`."""

    place: Place
    start: int
    end: int

    @property
    def size(self) -> int:
        """How many offsets these are; there may be fewer records, but not more."""
        return max(0, self.end - self.start)


def find(
    client: Client,
    topic: str,
    numbers: Collection[int] | None,
    edges: tuple[Edge, Edge],
    isolation_level: int,
    deadline: Deadline,
) -> list[Range]:
    """Return the ranges between two edges; asked again while a partition has no leader.

    InvalidSetting for a partition that is not there, or a start that is beyond all the logs.
    """
    times = [edge for edge in edges if isinstance(edge, datetime)]

    def questions(places: list[Place]) -> list[Any]:
        last = messages.ends(places, LATEST, isolation_level)
        return [messages.ends(places, EARLIEST), last, *(_at(places, time) for time in times)]

    def found() -> list[Range] | None:
        client.begin()  # the broker that knew best may be the one that is cut off by now
        parts = _chosen(state(client, str(topic)), numbers)  # None would be all topics
        asked = of_leaders(client, parts, questions)
        first, last, *told = (offsets_told(client, asked, n) for n in range(2 + len(times)))
        if any(part.place not in first or part.place not in last for part in parts):
            return None
        by_time = dict(zip(times, told, strict=True))
        places = [part.place for part in parts]
        _refuse_beyond(topic, edges[0], [last[place] for place in places])
        logs = [(place, (first[place], last[place])) for place in places]
        return [_range(place, edges, log, by_time) for place, log in logs]

    def unknown() -> str:
        why = " ".join(client.unknown.values()) or "One has no leader."
        return f"Not all partitions of '{topic}' can be read. {why}"

    return wait_until(found, deadline, unknown)


def _refuse_beyond(topic: str, start: Edge, ends: Sequence[int]) -> None:
    if isinstance(start, int) and all(start > end for end in ends):
        raise InvalidSetting(
            f"The offset is beyond all logs of '{topic}'.",
            f"You gave start={start}; the furthest ends at {max(ends)}.",
            f"Use start= from 0 to {max(ends)}.",
        )


def _at(places: list[Place], time: datetime) -> Any:
    return messages.ends(places, int(time.timestamp() * 1000))


def _range(
    place: Place,
    edges: tuple[Edge, Edge],
    log: tuple[int, int],
    by_time: dict[datetime, dict[Place, int]],
) -> Range:
    first, last = log

    def offset(edge: Edge, default: int) -> int:
        if isinstance(edge, datetime):
            edge = by_time[edge].get(place, -1)
            return last if edge < 0 else edge  # no record is as young
        return default if edge is None else edge

    start, end = offset(edges[0], first), offset(edges[1], last)
    return Range(place, max(first, start), min(last, end))


def _chosen(parts: list[Partition], numbers: Collection[int] | None) -> list[Partition]:
    there = {part.partition: part for part in parts}
    if numbers is None:
        return parts
    for number in numbers:
        if number not in there:
            raise InvalidSetting(
                f"'{parts[0].topic}' has no partition {shown(number)}.",
                f"It has {len(parts)}: 0 to {len(parts) - 1}.",
                "Use partition=0, or a list of them.",
            )
    return [there[number] for number in numbers]


def shares(sizes: Sequence[int], limit: int) -> list[int]:
    """Return how many of `limit` go to each: as many to all, unless one has fewer."""
    given, left = [0] * len(sizes), limit
    smallest_first = sorted(range(len(sizes)), key=lambda n: sizes[n])
    for place, n in enumerate(smallest_first):
        given[n] = min(sizes[n], left // (len(sizes) - place))
        left -= given[n]
    return given
