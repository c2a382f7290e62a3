"""From a record to its event; what could not be told the first time is asked for again."""

from __future__ import annotations

from eventlab.orders import Order, OrderCreated, OrderStatus
from eventlab.orders.errors import EventVersionError
from eventlab.orders.events import EVENTS
from eventlab.orders.subscriber.reading import Reading
from tests.unit.orders.inbox.arrivals import BEGUN, ITEMS, Record, created, delivered

MINIMAL = Record("orders", 0, 7, None, b'{"event": "ORDER_CREATED", "orderId": "O-1"}', [])
ORDER = Order("O-1", "C-1", BEGUN, OrderStatus.CREATED, ITEMS)


def reading(find_order=None, where=None):
    return Reading(EVENTS.values(), None, where, find_order)


def test_a_minimal_event_is_an_order_for_whoever_can_look_it_up():
    """Without that it cannot be read, and the message says what to pass."""
    [arrival] = reading({"O-1": ORDER}.get).arrivals([MINIMAL])
    assert isinstance(arrival.event, OrderCreated)
    assert arrival.event.items == ITEMS
    [arrival] = reading().arrivals([MINIMAL])
    assert isinstance(arrival.error, EventVersionError)
    assert "Pass find_order= to decode or OrderSubscriber" in str(arrival.error)


def test_who_could_not_answer_is_asked_again():
    """Each try asks; an event that was read stays as it is, and its tries are counted on."""
    answers = iter([ConnectionError("Not yet."), ConnectionError("Not yet."), ORDER])

    def find_order(order_id):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    reads = reading(find_order)
    [first] = reads.arrivals([MINIMAL])
    [second] = reads.again([first])
    [read, other] = delivered(created(), created("O-2"))
    third, *rest = reads.again([second, read, other])
    assert [type(a.error) for a in (first, second)] == [ConnectionError] * 2
    assert (third.event.order_id, rest) == ("O-1", [read, other])


def test_what_is_not_wanted_after_all_is_left_out():
    """`where` could not say; now it says no."""
    answers = iter([KeyError("?"), False])

    def where(event):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    [record] = [arrival.record for arrival in delivered(created())]
    reads = reading(where=where)
    failed = list(reads.arrivals([record]))
    assert (len(failed), list(reads.again(failed))) == (1, [])
