"""How the shop is: orders by status, what waits in the outbox, dead letters, how far behind."""

from __future__ import annotations

from typing import Any

from eventlab import observe
from eventlab.errors import UnknownGroup
from eventlab.observe.client import Target, address_of
from eventlab.orders import letters, views
from eventlab.orders.asyncapi import TOPICS
from eventlab.orders.outbox import rows
from eventlab.orders.store import Store
from eventlab.orders.subscriber.replay import unsent


def look(kafka: Target, store: Store, group_id: str) -> dict[str, Any]:
    """Return it, ready for JSON: orders, outbox, dead_letters (by topic), lag (by partition)."""
    with store.reading() as db:
        waiting, seconds = rows.waiting(db)
    statuses = views.statuses(store)
    return {
        "orders": {s: int(n) for s, n in zip(statuses["status"], statuses["orders"], strict=True)},
        "outbox": {"waiting": waiting, "seconds": round(seconds, 3)},
        "dead_letters": _dead_letters(kafka),
        "group": group_id,
        "lag": _lag(kafka, group_id),
    }


def told(found: dict[str, Any]) -> str:
    """Return it as lines for people."""
    orders = ", ".join(f"{count} {status}" for status, count in found["orders"].items() if count)
    behind = ", ".join(f"{place} {lag}" for place, lag in found["lag"].items())
    dead = ", ".join(f"{topic} {count}" for topic, count in found["dead_letters"].items())
    outbox = found["outbox"]
    waits = f", the first for {outbox['seconds']:.0f} s" if outbox["waiting"] else ""
    return "\n".join(
        (
            f"orders        {orders or 'none'}",
            f"outbox        {outbox['waiting']} wait{waits}",
            f"dead letters  {dead or 'none'}",
            f"lag           {behind or 'the group ' + found['group'] + ' has read nothing'}",
        )
    )


def _dead_letters(kafka: Target) -> dict[str, int]:
    """Return how many letters of the shop were not sent back yet, by dead-letter topic."""
    ours = sorted(f"{topic}{letters.SUFFIX}" for topic in TOPICS.values())
    there = set(observe.topics(kafka)["topic"])
    return {topic: unsent(**address_of(kafka), topic=topic) for topic in ours if topic in there}


def _lag(kafka: Target, group_id: str) -> dict[str, int]:
    try:
        found = observe.lag(kafka, group_id)
    except UnknownGroup:
        return {}
    found = found[found["committed"].astype(bool)]
    return {
        f"{row['topic']}-{row['partition']}": int(row["lag"]) for row in found.to_dict("records")
    }
