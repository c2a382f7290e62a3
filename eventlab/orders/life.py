"""The life of one sample order, as far as it had come at a given moment.

First the whole life is drawn, then what lies after the moment is forgotten. So the status never
says anything that the payments and shipments do not say too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from eventlab.orders.catalogue import a_customer_id, a_product
from eventlab.orders.dice import Dice
from eventlab.orders.domain import Item, Order, OrderStatus, Payment, PaymentStatus, Shipment
from eventlab.orders.sale import Sale
from eventlab.orders.steps import parcels, refund, tries

_LINES = (1, 1, 1, 1, 1, 2, 2, 2, 3, 4)
_QUANTITIES = (1, 1, 1, 1, 1, 1, 1, 2, 2, 3)
_PATIENCE = (1, 1, 1, 21)  # days: most change their mind, the others never pay


def a_sale(dice: Dice, number: int, created: datetime, until: datetime) -> Sale:
    """Return order `number` and all that happened to it before `until`."""
    order = _placed(dice, number, created)
    if dice.chance(5):
        end = created + timedelta(days=dice.one_of(_PATIENCE))
        unpaid = _seen(order, tries(dice, order, pays=False), (), until)
        return _cancelled(unpaid, end) if end < until else unpaid
    payments = list(tries(dice, order, pays=True))
    shipments = [] if dice.chance(2) else list(parcels(dice, order, payments[-1].created))
    payments += refund(dice, order, payments[-1], shipments)
    return _seen(order, payments, shipments, until)


def _placed(dice: Dice, number: int, created: datetime) -> Order:
    wanted = dict.fromkeys(a_product(dice) for _ in range(dice.one_of(_LINES)))  # each once
    voucher = dice.chance(8)
    items = tuple(
        Item(
            product.product_id,
            dice.one_of(_QUANTITIES),
            _reduced(product.unit_price) if voucher else product.unit_price,
        )
        for product in wanted
    )
    customer_id = a_customer_id(dice)
    return Order(f"O-{number:07d}", customer_id, created, OrderStatus.CREATED, items)


def _reduced(price: Decimal) -> Decimal:
    cents = int(price * 100) * 9 // 10  # in favour of the customer, and never half a cent
    return Decimal(cents).scaleb(-2)


def _seen(
    order: Order,
    payments: Iterable[Payment],
    shipments: Iterable[Shipment],
    until: datetime,
) -> Sale:
    paid = tuple(payment for payment in payments if payment.created < until)
    sent = tuple(_on_the_road(s, until) for s in shipments if s.shipped < until)
    status = _status(order, paid, sent) or OrderStatus.CREATED
    return Sale(replace(order, status=status), paid, sent)


def _cancelled(sale: Sale, end: datetime) -> Sale:
    return replace(sale, order=sale.order.with_status(OrderStatus.CANCELLED), cancelled=end)


def _on_the_road(shipment: Shipment, until: datetime) -> Shipment:
    arrived = shipment.delivered is not None and shipment.delivered < until
    return shipment if arrived else replace(shipment, delivered=None)


def _status(
    order: Order, payments: Sequence[Payment], shipments: Sequence[Shipment]
) -> OrderStatus | None:
    last = payments[-1].status if payments else PaymentStatus.FAILED
    if last is PaymentStatus.FAILED:
        return None
    if last is PaymentStatus.REFUNDED:
        return OrderStatus.REFUNDED
    if not shipments:
        return OrderStatus.PAID
    if sum(len(shipment.items) for shipment in shipments) < len(order.items):
        return OrderStatus.PARTLY_SHIPPED
    arrived = all(shipment.delivered for shipment in shipments)
    return OrderStatus.DELIVERED if arrived else OrderStatus.SHIPPED
