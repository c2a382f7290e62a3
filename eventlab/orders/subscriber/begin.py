"""Where to begin in partitions of which the group has not committed anything yet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from kafka import OffsetAndMetadata, TopicPartition


def at(
    consumer: Any, parts: Iterable[TopicPartition], start: datetime | str
) -> set[TopicPartition]:
    """Go to the first records that are not older than a time; return the partitions it was for.

    Where there is none yet, or with "latest", that is the end. It is committed at once, so that a
    member that gets the partition before anything is handled begins there too: by
    auto.offset.reset=latest it would begin at the end of then, behind what came meanwhile.
    """
    fresh = [part for part in parts if consumer.committed(part, timeout_ms=5_000) is None]
    if not fresh:
        return set()
    ends = consumer.end_offsets(fresh, timeout_ms=5_000)
    offsets = {part: ends[part] for part in fresh}
    if isinstance(start, datetime):
        moment = int(start.timestamp() * 1000)
        found = consumer.offsets_for_times(dict.fromkeys(fresh, moment), timeout_ms=5_000)
        offsets |= {part: at.offset for part, at in found.items() if at}
    for part, offset in offsets.items():
        consumer.seek(part, offset)
    places = {part: OffsetAndMetadata(offset, "", -1) for part, offset in offsets.items()}
    consumer.commit(places, timeout_ms=5_000)
    return set(fresh)
