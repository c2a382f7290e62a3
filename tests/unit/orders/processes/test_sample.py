"""What flows through the shop: from a seed or from files, never all of it in memory."""

from __future__ import annotations

import tracemalloc
from collections import defaultdict
from itertools import islice

import pytest

from eventlab.errors import EventlabError
from eventlab.orders import OrderCancelled, OrderCreated, encode, fold, read_orders, sample_events
from eventlab.orders.files import write
from eventlab.orders.processes.sample import Sending, happenings, recorded, topic_of
from eventlab.orders.publisher import KafkaAway

KNOWN = 2_000 + 120  # customers and products


def stories(events):
    """Return the events of each order, by its id."""
    found = defaultdict(list)
    for event in events:
        if topic_of(event) == "orders":
            found[event.order_id].append(event)
    return found


def test_what_the_files_tell_is_what_happened():
    """Each order ends as orders.csv has it; but for the time of a cancellation it is the seed's."""
    told = list(recorded(300))
    assert len(told) == KNOWN + len(list(sample_events(300)))
    orders = {order.order_id: order for order in islice(read_orders(), 300)}
    assert {key: fold(events).order for key, events in stories(told).items()} == orders
    same = [each for each in happenings(300) if not isinstance(each, OrderCancelled)]
    assert [each for each in told if not isinstance(each, OrderCancelled)] == same
    times = [event.time for event in told[KNOWN:]]
    assert times == sorted(times)


def test_a_small_shop_is_told_whole(tmp_path):
    """More orders than there are is all of them."""
    write(tmp_path, n=20, seed=3)
    assert len(stories(recorded(1_000, tmp_path))) == 20


@pytest.mark.parametrize("file", ["payments", "shipments"])
def test_a_row_of_no_order_is_refused(tmp_path, file):
    """Otherwise those behind it would be left out, and nobody would know."""
    write(tmp_path, n=20)
    path = tmp_path / f"{file}.csv"
    path.write_text(path.read_text("utf-8").replace("O-0000003", "O-0000000"), "utf-8")
    with pytest.raises(EventlabError, match=rf"^{file}\.csv cannot be right\. .*'O-0000000'"):
        list(recorded(1_000, tmp_path))


def test_a_later_book_has_orders_of_its_own():
    """It goes on where the one before it ended."""
    later = list(sample_events(50, book=1))
    assert sorted(stories(later)) == [f"O-{number:07d}" for number in range(10_001, 10_051)]
    with pytest.raises(EventlabError, match=r"^n cannot be"):
        sample_events(1_000_000_000, book=1)


@pytest.mark.parametrize("events", [lambda: sample_events(10**9), lambda: recorded(10**6)])
def test_events_come_one_by_one(events):
    """The first is there before the last one is made, and few are kept."""
    tracemalloc.start()
    try:
        assert len(list(islice(events(), 3_000))) == 3_000
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


class Publisher:
    """Takes events, but for every second time that it is asked."""

    def __init__(self):
        self.asked, self.taken = 0, []

    def publish_encoded(self, event, record, topic):
        self.asked += 1
        if self.asked % 2:
            raise KafkaAway("Kafka is away.", "It says nothing.", "Wait.")
        self.taken.append((event, record, topic))


def test_what_could_not_be_sent_is_sent_again():
    """None is left out: the payment of an order that was not sent would be a dead letter."""
    events, publisher = list(sample_events(5)), Publisher()
    sending = Sending(publisher, iter(events))
    for _ in events:
        with pytest.raises(KafkaAway):
            sending.step()
        sending.step()
    assert sending.step() is None
    assert publisher.taken == [(each, encode(each), "orders") for each in events]
    assert sending.sent == len(events)
    assert isinstance(events[0], OrderCreated)
