"""The order system of the workbook, from its values to its shop.

Somebody wants two GRUMPY-TEAPOTs: an `Order` of `Item`s. A `Payment` fails, the next one brings
the money in; a `Shipment` leaves, another has to wait for stock; one comes back, and money too.

    from eventlab.orders import read_orders, sample_orders

    for order in sample_orders(1_000, seed=7):      # as many as you want, the same every time
        producer.send("orders", key=order.customer_id.encode(), value=order.to_json())

    first = next(read_orders())                     # the same shop, from the CSV files in data/
    first.status.may_become(OrderStatus.REFUNDED)
"""

from eventlab.orders.domain import (
    Customer,
    Item,
    Order,
    OrderStatus,
    Payment,
    PaymentStatus,
    Product,
    Shipment,
)
from eventlab.orders.files import read_orders
from eventlab.orders.sample import sample_orders, sample_shop

__all__ = [
    "Customer",
    "Item",
    "Order",
    "OrderStatus",
    "Payment",
    "PaymentStatus",
    "Product",
    "Shipment",
    "read_orders",
    "sample_orders",
    "sample_shop",
]
