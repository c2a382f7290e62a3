"""The tables of the shop: what handlers write, what makes an event's effect once, what waits.

`orders`, `order_items`, `payments`, `shipments` and `shipped_items` are the read model: they can be
made anew from the topic. `processed_events` has the ids of the events whose effects are in the
tables, written in the same transaction. `outbox` has events that are not in Kafka yet, `requests`
which event was made of a request with an Idempotency-Key; the rest is what a subscriber has to
remember.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.types import BigInteger

from eventlab.orders.domain import OrderStatus, PaymentStatus
from eventlab.orders.store.types import Cents, Utc

VERSION = 2  # of these tables; `database` refuses a store of another one

METADATA = MetaData()
_ID = String(64)
_EVENT = String(300)  # the id of an event with its source
_SERIAL = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys alone


def _one_of(column: str, members: type[OrderStatus] | type[PaymentStatus]) -> CheckConstraint:
    return CheckConstraint(
        f"{column} IN ({', '.join(repr(str(member)) for member in members)})", f"{column}_known"
    )


schema_version = Table("schema_version", METADATA, Column("version", Integer, primary_key=True))

customers = Table(
    "customers",
    METADATA,
    Column("customer_id", _ID, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("country", String(2), nullable=False),
    Column("since", Utc, nullable=False),
)

products = Table(
    "products",
    METADATA,
    Column("product_id", _ID, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("category", _ID, nullable=False),
    Column("unit_price_cents", Cents, nullable=False),
)

orders = Table(
    "orders",
    METADATA,
    Column("order_id", _ID, primary_key=True),
    Column("customer_id", _ID, nullable=False),
    Column("created", Utc, nullable=False),
    Column("status", String(20), nullable=False),
    Column("total_cents", Cents, nullable=False),
    Column("currency", String(3), nullable=False),
    # Of the last event that is in this row: its time, and its id as in processed_events.
    Column("changed", Utc, nullable=False),
    Column("last_event", _EVENT, nullable=False),
    Column("correlation_id", _ID, nullable=False),  # of the first one: what follows has it too
    _one_of("status", OrderStatus),
    CheckConstraint("total_cents > 0", "total_positive"),
    Index("orders_by_customer", "customer_id"),
)

order_items = Table(
    "order_items",
    METADATA,
    Column("order_id", ForeignKey("orders.order_id"), primary_key=True),
    Column("line", Integer, primary_key=True),  # 1, 2, ...: one product may be in two lines
    Column("product_id", _ID, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price_cents", Cents, nullable=False),
    CheckConstraint("quantity > 0", "quantity_positive"),
)

payments = Table(
    "payments",
    METADATA,
    Column("number", _SERIAL, primary_key=True),  # in the order of their events
    Column("payment_id", _ID, nullable=False, unique=True),
    Column("order_id", ForeignKey("orders.order_id"), nullable=False),
    Column("created", Utc, nullable=False),
    Column("status", String(20), nullable=False),
    Column("amount_cents", Cents, nullable=False),
    Column("method", _ID, nullable=False),
    Column("currency", String(3), nullable=False),
    _one_of("status", PaymentStatus),
    Index("payments_by_order", "order_id"),
)

shipments = Table(
    "shipments",
    METADATA,
    Column("number", _SERIAL, primary_key=True),  # in the order of their events
    Column("shipment_id", _ID, nullable=False, unique=True),
    Column("order_id", ForeignKey("orders.order_id"), nullable=False),
    Column("carrier", String(200), nullable=False),
    Column("shipped", Utc, nullable=False),
    Column("delivered", Utc),
    Index("shipments_by_order", "order_id"),
)

shipped_items = Table(
    "shipped_items",
    METADATA,
    Column("shipment_id", ForeignKey("shipments.shipment_id"), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("product_id", _ID, nullable=False),
    Column("quantity", Integer, nullable=False),
)

# One row for each event whose effect is in the tables above, by whom. The place in the log is what
# the judge compares (I10); the checksum tells a second event of the same id from a redelivery.
processed_events = Table(
    "processed_events",
    METADATA,
    Column("event_id", _EVENT, primary_key=True),  # first: timers look for it alone
    Column("subscriber", String(255), primary_key=True),
    Column("checksum", BigInteger, nullable=False),
    Column("topic", String(249), nullable=False),  # Kafka's longest name of a topic
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("processed", Utc, nullable=False),
)

# The largest time of an event of a partition that is in the tables: what timers go by, so that they
# do not depend on when the events are read, nor on how far other partitions are.
stream_time = Table(
    "stream_time",
    METADATA,
    Column("subscriber", String(255), primary_key=True),
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("time", Utc, nullable=False),
)

# Events that are in a dead-letter topic, and whose key waits for them; by the place in the log
# where they first were.
parked_events = Table(
    "parked_events",
    METADATA,
    Column("number", _SERIAL, primary_key=True),  # in their order
    Column("subscriber", String(255), nullable=False),
    Column("topic", String(249), nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    UniqueConstraint("subscriber", "topic", "partition", "offset"),
)

# Orders whose cancellation was sent and has not come back yet: it is sent once.
cancellations = Table(
    "cancellations",
    METADATA,
    Column("order_id", ForeignKey("orders.order_id"), primary_key=True),
)

outbox = Table(
    "outbox",
    METADATA,
    Column("position", _SERIAL, primary_key=True, autoincrement=True),
    Column("topic", String(249), nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("headers", JSON, nullable=False),  # [[name, text], ...]: those of an event are UTF-8
    Column("created", Utc, nullable=False),
    sqlite_autoincrement=True,  # a position is never used again: a late delete hits no other row
)

requests = Table(
    "requests",
    METADATA,
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),  # what was asked, as SHA-256 in hex
    Column("event_key", LargeBinary, nullable=False),
    Column("event_value", LargeBinary, nullable=False),
    Column("created", Utc, nullable=False),
    Column("sent", Utc),  # when Kafka had it, or the outbox; None while that is not known
    Index("requests_by_age", "created"),
)
