"""What happens to a sample order: tries to pay, parcels, and money that flows back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from eventlab.orders.dice import Dice
from eventlab.orders.domain import Item, Order, Payment, PaymentStatus, Shipment, ShippedItem

_METHODS = ("card",) * 12 + ("paypal",) * 5 + ("transfer",) * 3
_FAILURES = (0,) * 90 + (1,) * 7 + (2,) * 3
_CARRIERS = (("Hare Express", 2), ("Pigeon Post", 4), ("Tortoise & Sons", 7))  # days on the road


def tries(dice: Dice, order: Order, pays: bool) -> Iterator[Payment]:
    """Yield what the bank says until the money is in, or until nobody tries any more."""
    method = dice.one_of(_METHODS)
    at = order.created + _until_first_try(dice, method)
    failures = 0 if method == "transfer" else dice.one_of(_FAILURES)
    for number in range(1, failures + 1):
        yield _payment(order, number, at, PaymentStatus.FAILED, method)
        at += timedelta(seconds=dice.between(40, 7_200))
    if pays:
        yield _payment(order, failures + 1, at, PaymentStatus.CAPTURED, method)


def parcels(dice: Dice, order: Order, paid: datetime) -> Iterator[Shipment]:
    """Yield one parcel, or two when a part of the order has to wait for stock."""
    carrier, slowest = dice.one_of(_CARRIERS)
    shipped = paid + timedelta(minutes=dice.between(180, 3_600))
    for number, items in enumerate(_parts(dice, order.items), start=1):
        yield Shipment(
            shipment_id=f"S-{order.order_id[2:]}-{number}",
            order_id=order.order_id,
            carrier=carrier,
            shipped=shipped,
            delivered=shipped + timedelta(minutes=dice.between(1_200, slowest * 1_440)),
            items=tuple(ShippedItem(item.product_id, item.quantity) for item in items),
        )
        shipped += timedelta(minutes=dice.between(1_440, 10 * 1_440))


def refund(dice: Dice, order: Order, captured: Payment, shipments: list[Shipment]) -> list[Payment]:
    """Return the money of an order that cannot be sent, and of a few that are sent back."""
    if shipments and not dice.chance(5):
        return []
    since = max((s.delivered for s in shipments if s.delivered), default=captured.created)
    at = since + timedelta(minutes=dice.between(1_440, 10 * 1_440))
    number = int(captured.payment_id.rpartition("-")[2]) + 1
    return [_payment(order, number, at, PaymentStatus.REFUNDED, captured.method)]


def _until_first_try(dice: Dice, method: str) -> timedelta:
    if method != "transfer":
        return timedelta(seconds=dice.between(5, 240))
    first, last = (8, 20) if dice.chance(20) else (1, 4)  # some people need a reminder
    return timedelta(minutes=dice.between(first * 1_440, last * 1_440))


def _parts(dice: Dice, items: tuple[Item, ...]) -> list[tuple[Item, ...]]:
    if len(items) == 1 or not dice.chance(30):
        return [items]
    cut = dice.between(1, len(items) - 1)
    return [items[:cut], items[cut:]]


def _payment(
    order: Order, number: int, at: datetime, status: PaymentStatus, method: str
) -> Payment:
    payment_id = f"P-{order.order_id[2:]}-{number}"
    return Payment(payment_id, order.order_id, at, status, order.total_amount, method)
