"""How fast events become effects: a subscriber against a transaction written by hand.

Compared: both read the same topic of three partitions, RF 3, with kafka-python, 500 records a poll,
decode the events in it, write the same tables of a SQLite file with a transaction for each poll,
events that come again without effect, and commit the offsets after it. The one by hand is sqlite3
and `executemany` and knows nothing of rules, dead letters, retries or rebalances; in the end both
databases have to hold the same. A ratio of 1.25 in time is a throughput of 0.80.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
import zlib
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import figures
from figures import Figure, Numbers
from kafka import KafkaConsumer, KafkaProducer

from eventlab.cluster import launch
from eventlab.errors import StartFailed
from eventlab.orders import (
    CustomerRegistered,
    OrderCancelled,
    OrderCreated,
    OrderPaid,
    OrderRefunded,
    PaymentFailed,
    ShipmentDelivered,
    ShipmentSent,
    decode,
    encode,
    sample_events,
)
from eventlab.orders.store import Store
from eventlab.orders.subscriber import OrderSubscriber
from eventlab.waiting import Deadline

ORDERS = 10_000
TOPIC = "subscribed"
TABLES = {
    "orders": "order_id, customer_id, status, total_cents, currency, last_event, correlation_id",
    "order_items": "order_id, line, product_id, quantity, unit_price_cents",
    "payments": "payment_id, order_id, status, amount_cents, method",
    "shipments": "shipment_id, order_id, carrier",
    "shipped_items": "shipment_id, line, product_id, quantity",
    "processed_events": 'topic, partition, "offset"',
}


def measure(runs: int) -> list[Figure]:
    launch.requirements()
    with figures.cluster() as state:
        servers = state["bootstrap_servers"]
        figures.create_topic(servers, TOPIC, replicas=3)
        count = fill(servers)
        seen = figures.interleaved(
            runs, ours=lambda: ours_run(servers, count), by_hand=lambda: hand_run(servers, count)
        )
    sums = {numbers["rows"] for side in seen.values() for numbers in side}
    assert len(sums) == 1, f"the databases do not hold the same: {sums}"
    ours, by_hand = (figures.median(seen[side], "seconds") for side in ("ours", "by_hand"))
    rate = count / ours if ours else None
    return [
        Figure(
            f"{count:,} events into SQLite, against a transaction by hand", ours, "s", 1.25, by_hand
        ),
        Figure("events handled", rate, "events/s"),
    ]


def fill(servers: str) -> int:
    """Send the events of sample orders, those of their customers first; return how many."""
    events = list(sample_events(ORDERS))
    known = {event.customer_id for event in events if isinstance(event, OrderCreated)}
    customers = [CustomerRegistered(c, "Ada", "GB", time=events[0].time) for c in sorted(known)]
    with KafkaProducer(bootstrap_servers=servers, linger_ms=5) as producer:
        for customer in customers:
            producer.send(TOPIC, **encode(customer)._asdict(), partition=0)
        producer.flush(timeout=60)
        for event in events:
            producer.send(TOPIC, **encode(event)._asdict())
        producer.flush(timeout=60)
    return len(customers) + len(events)


def ours_run(servers: str, count: int) -> Numbers:
    """Let an OrderSubscriber handle all."""
    with tempfile.TemporaryDirectory() as folder:
        path, group = Path(folder) / "shop.db", f"ours-{time.time_ns()}"
        deadline = Deadline(300)
        with Store(path) as store, OrderSubscriber(servers, group, TOPIC, store=store) as made:
            begun = time.monotonic()
            made.run(lambda: not deadline.left or done(made) >= count)
            seconds = time.monotonic() - begun
        return {"seconds": seconds, "rows": rows_of(path, count)}


def done(made: OrderSubscriber) -> int:
    """Return how many records are committed, as the subscriber knows it."""
    return sum(made._progress._committed.values())


def hand_run(servers: str, count: int) -> Numbers:
    """Let a plain loop do the same."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        Store(path).close()
        db = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            db.execute(f"PRAGMA {pragma}")
        consumer = KafkaConsumer(
            TOPIC,
            bootstrap_servers=servers,
            group_id=f"hand-{time.time_ns()}",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        consumer.partitions_for_topic(TOPIC)
        begun, handled, deadline = time.monotonic(), 0, Deadline(300)
        while handled < count and deadline.left:
            polled = consumer.poll(timeout_ms=200)
            if records := [record for some in polled.values() for record in some]:
                db.execute("BEGIN IMMEDIATE")
                Hand(db).handle(records)
                db.execute("COMMIT")
                consumer.commit()
                handled += len(records)
        seconds = time.monotonic() - begun
        consumer.close()
        db.close()
        return {"seconds": seconds, "rows": rows_of(path, count)}


def rows_of(path: Path, count: int) -> float:
    """Return a sum of all that matters in a database, the same for the same tables."""
    db = sqlite3.connect(path)
    (handled,) = db.execute("SELECT COUNT(*) FROM processed_events").fetchone()
    if handled != count:
        raise StartFailed("Events are missing.", f"{handled} of {count}.", "Look at the logs.")
    found = [
        sorted(db.execute(f"SELECT {columns} FROM {name}")) for name, columns in TABLES.items()
    ]
    db.close()
    return float(sum(len(rows) for rows in found)) + hash_of(found)


def hash_of(found: Any) -> float:
    """Return a small number that differs when anything does."""
    return zlib.crc32(repr(found).encode()) / 2**32


class Hand:
    """One batch, by hand: rows in lists, one statement for each table."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self.status: dict[str, str] = {}
        self.changed: dict[str, Any] = {}
        self.left: dict[str, Counter[str]] = {}
        self.road: dict[str, set[str]] = defaultdict(set)

    def handle(self, records: list[Any]) -> None:
        """Do one poll."""
        events = [decode(record) for record in records]
        seen = self.new_ids(records, events)
        self.load(events)
        for event in events:
            if event.event_id in seen:
                self.apply(event)
        self.write()

    def new_ids(self, records: list[Any], events: list[Any]) -> set[str]:
        """Note the events; return the ids of those that are new."""
        ids = [event.event_id for event in events]
        marks = ",".join("?" * len(ids))
        query = f"SELECT event_id FROM processed_events WHERE event_id IN ({marks})"
        old = {row[0] for row in self.db.execute(query, ids)}
        now = str(time.time())
        self.db.executemany(
            "INSERT INTO processed_events VALUES ('hand', ?, ?, ?, ?, ?, ?)",
            [
                (e.event_id, hash(r.value), r.topic, r.partition, r.offset, now)
                for r, e in zip(records, events, strict=True)
                if e.event_id not in old
            ],
        )
        return set(ids) - old

    def load(self, events: list[Any]) -> None:
        """Read where their orders stand."""
        ids = list({e.order_id for e in events if not isinstance(e, CustomerRegistered)})
        marks = ",".join("?" * len(ids))
        query = f"SELECT order_id, status FROM orders WHERE order_id IN ({marks})"
        self.status = dict(self.db.execute(query, ids))
        ids = list({e.order_id for e in events if isinstance(e, ShipmentSent | ShipmentDelivered)})
        marks = ",".join("?" * len(ids))
        for order_id, product, quantity in self.db.execute(
            f"SELECT order_id, product_id, quantity FROM order_items WHERE order_id IN ({marks})",
            ids,
        ):
            self.left.setdefault(order_id, Counter())[product] += quantity
        for order_id, product, quantity in self.db.execute(
            "SELECT order_id, product_id, quantity FROM shipments JOIN shipped_items"
            f" USING (shipment_id) WHERE order_id IN ({marks})",
            ids,
        ):
            self.left[order_id][product] -= quantity
        for order_id, shipment_id in self.db.execute(
            "SELECT order_id, shipment_id FROM shipments"
            f" WHERE delivered IS NULL AND order_id IN ({marks})",
            ids,
        ):
            self.road[order_id].add(shipment_id)

    def apply(self, event: Any) -> None:
        """Do what one event does."""
        rows, at = self.rows, event.time.isoformat()
        row: tuple[Any, ...]
        if isinstance(event, CustomerRegistered):
            rows["customers"].append((event.customer_id, event.name, event.country, at))
            return
        of = event.order_id
        if isinstance(event, OrderCreated):
            total = sum(item.quantity * cents(item.unit_price) for item in event.items)
            row = (of, event.customer_id, at, "created", total, event.currency, at)
            rows["orders"].append((*row, event.unique_id, event.correlation_id))
            left = self.left.setdefault(of, Counter())
            for line, item in enumerate(event.items, 1):
                left[item.product_id] += item.quantity
                row = (of, line, item.product_id, item.quantity, cents(item.unit_price))
                rows["order_items"].append(row)
            self.status[of] = "created"
        elif isinstance(event, PaymentFailed | OrderPaid | OrderRefunded):
            status = {PaymentFailed: "failed", OrderPaid: "captured"}.get(type(event), "refunded")
            row = (event.payment_id, of, at, status, cents(event.amount), event.method, "EUR")
            rows["payments"].append(row)
            if status != "failed":
                self.move(of, "paid" if status == "captured" else "refunded", event)
        elif isinstance(event, OrderCancelled):
            self.move(of, "cancelled", event)
        elif isinstance(event, ShipmentSent):
            rows["shipments"].append((event.shipment_id, of, event.carrier, at))
            for line, sent in enumerate(event.items, 1):
                row = (event.shipment_id, line, sent.product_id, sent.quantity)
                rows["shipped_items"].append(row)
                self.left[of][sent.product_id] -= sent.quantity
            self.road[of].add(event.shipment_id)
            self.move(of, "partly_shipped" if any(self.left[of].values()) else "shipped", event)
        elif isinstance(event, ShipmentDelivered):
            rows["arrived"].append((at, event.shipment_id))
            self.road[of].discard(event.shipment_id)
            arrived = self.status[of] == "shipped" and not self.road[of]
            self.move(of, "delivered" if arrived else self.status[of], event)

    def move(self, of: str, status: str, event: Any) -> None:
        """Bring an order to a status."""
        self.status[of], self.changed[of] = status, event

    def write(self) -> None:
        """Write all, a statement for each table."""
        moved = [
            (self.status[of], event.time.isoformat(), event.unique_id, of)
            for of, event in self.changed.items()
        ]
        for statement, rows in (
            ("INSERT OR REPLACE INTO customers VALUES (?, ?, ?, ?)", self.rows["customers"]),
            ("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", self.rows["orders"]),
            ("INSERT INTO order_items VALUES (?, ?, ?, ?, ?)", self.rows["order_items"]),
            ("INSERT INTO payments VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", self.rows["payments"]),
            ("INSERT INTO shipments VALUES (NULL, ?, ?, ?, ?, NULL)", self.rows["shipments"]),
            ("INSERT INTO shipped_items VALUES (?, ?, ?, ?)", self.rows["shipped_items"]),
            ("UPDATE shipments SET delivered = ? WHERE shipment_id = ?", self.rows["arrived"]),
            ("UPDATE orders SET status = ?, changed = ?, last_event = ? WHERE order_id = ?", moved),
        ):
            if rows:
                self.db.executemany(statement, rows)


def cents(amount: Any) -> int:
    """Return money as SQL has it."""
    return int(amount.scaleb(2))


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, measure))
