"""The order system of the workbook, from its values to its events.

Somebody wants two GRUMPY-TEAPOTs: an `Order` of `Item`s. A `Payment` fails, the next one brings
the money in; a `Shipment` leaves, another has to wait for stock; one comes back, and money too.
Each of these happens once, and is an `Event`: `OrderCreated`, `PaymentFailed`, `OrderPaid` ...

    from eventlab.orders import decode, encode, fold, read_orders, sample_events, sample_orders

    for order in sample_orders(1_000, seed=7):      # as many as you want, the same every time
        producer.send("orders", key=order.customer_id.encode(), value=order.to_json())

    first = next(read_orders())                     # the same shop, from the CSV files in data/
    first.status.may_become(OrderStatus.REFUNDED)

    for event in sample_events(1_000, seed=7):      # what happened to them, as it happened
        producer.send("events", **encode(event)._asdict())
    story = [decode(record) for record in records if record.key == b"O-0000001"]
    fold(story).order.status

The map: `values` and `kinds` (what a field may hold), `domain`, `events`, `fold` (what events add
up to); `wire`, `envelope`, `cloudevents`, `version0` (how they travel); `schema`, `compatible`,
`asyncapi` (what others are told); the rest makes the sample shop. Imported by their own names:
`store` and `handlers` (SQL), `publisher`, `outbox` and `schedule` (how events get into Kafka).
"""

from eventlab.orders.cloudevents import decode, encode
from eventlab.orders.domain import (
    Customer,
    Item,
    Order,
    OrderStatus,
    Payment,
    PaymentStatus,
    Product,
    Shipment,
    ShippedItem,
)
from eventlab.orders.errors import DomainError
from eventlab.orders.events import (
    CustomerRegistered,
    Event,
    OrderCancelled,
    OrderCreated,
    OrderPaid,
    OrderRefunded,
    PaymentFailed,
    ProductListed,
    ShipmentDelivered,
    ShipmentSent,
)
from eventlab.orders.files import read_orders
from eventlab.orders.fold import apply, fold
from eventlab.orders.sale import Sale
from eventlab.orders.sample import sample_events, sample_orders, sample_shop

__all__ = [
    "Customer",
    "CustomerRegistered",
    "DomainError",
    "Event",
    "Item",
    "Order",
    "OrderCancelled",
    "OrderCreated",
    "OrderPaid",
    "OrderRefunded",
    "OrderStatus",
    "Payment",
    "PaymentFailed",
    "PaymentStatus",
    "Product",
    "ProductListed",
    "Sale",
    "Shipment",
    "ShipmentDelivered",
    "ShipmentSent",
    "ShippedItem",
    "apply",
    "decode",
    "encode",
    "fold",
    "read_orders",
    "sample_events",
    "sample_orders",
    "sample_shop",
]
