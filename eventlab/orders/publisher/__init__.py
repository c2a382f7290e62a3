"""Publishing events of the shop to Kafka.

with OrderPublisher(cluster.bootstrap_servers) as publisher:
    delivery = publisher.publish_order_created("O-1", "C-1", (Item(...),))
    delivery.event                            # the OrderCreated, with its id and time
    delivery.get(timeout=10)                  # Place(topic='orders', partition=1, offset=4711)
    paid = delivery.event.then(OrderPaid, "O-1", "P-1", Decimal("79.80"), "card")
    publisher.publish(paid)
# all of them are in Kafka here, or NotDelivered says which are not
"""

from eventlab.orders.publisher.delivery import Delivery, Place
from eventlab.orders.publisher.errors import (
    EventTooLarge,
    KafkaAway,
    NotDelivered,
    PublisherClosed,
)
from eventlab.orders.publisher.publisher import OrderPublisher

__all__ = [
    "Delivery",
    "EventTooLarge",
    "KafkaAway",
    "NotDelivered",
    "OrderPublisher",
    "Place",
    "PublisherClosed",
]
