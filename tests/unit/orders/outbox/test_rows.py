"""The outbox keeps events as they will be sent, in an order that none can overtake."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager, suppress
from decimal import Decimal

import pytest
from sqlalchemy import text

from eventlab.orders import Item, OrderCancelled, OrderCreated, decode, encode
from eventlab.orders.errors import EventEncodeError
from eventlab.orders.outbox import add
from eventlab.orders.outbox.relay import waves
from eventlab.orders.outbox.rows import Waiting, first, remove
from eventlab.orders.wire import MOST_BYTES
from eventlab.waiting import wait_until
from tests.unit.refusals import refused


def cancelled(order_id="O-1", reason="late"):
    return OrderCancelled(order_id, reason)


def waiting(store, most=500):
    with store.transaction() as db:
        return first(db, most)


def test_a_record_comes_back_byte_for_byte(store):
    """Key, value and headers, whatever the text in them."""
    event = cancelled(reason="'); DROP TABLE outbox; -- \N{SNOWMAN} \N{PILE OF POO}")
    with store.transaction() as db:
        add(db, event, topic="elsewhere")
    (row,) = waiting(store)
    assert (row.topic, row.record) == ("elsewhere", encode(event))
    assert decode(row.record) == event


def test_what_is_undone_is_not_sent(store):
    """An event is in the outbox when what it tells of is in the tables, and not otherwise."""
    with suppress(KeyError), store.transaction() as db:
        add(db, cancelled())
        raise KeyError
    assert waiting(store) == []


def test_the_first_of_them_come_in_the_order_in_which_they_were_added(store):
    events = [cancelled(f"O-{number % 3}", str(number)) for number in range(10)]
    with store.transaction() as db:
        for event in events:
            add(db, event)
    assert [decode(row.record) for row in waiting(store, 4)] == events[:4]


def test_a_position_is_never_used_again(store):
    """A relay that is late removes the row that it has sent, and no other."""
    with store.transaction() as db:
        add(db, cancelled())
    (row,) = waiting(store)
    with store.transaction() as db:
        remove(db, [row.position])
        add(db, cancelled("O-2"))
    with store.transaction() as db:
        remove(db, [row.position])
    assert [row.record.key for row in waiting(store)] == [b"O-2"]


def test_an_event_that_no_record_can_hold_is_refused_where_it_is_added(store):
    """A relay would stand before it for ever."""
    item = Item("P-1", 1, Decimal("0.01"))
    one, two = (len(encode(OrderCreated("O-1", "C-1", (item,) * n)).value) for n in (1, 2))
    event = OrderCreated("O-1", "C-1", (item,) * (1 + (MOST_BYTES - one) // (two - one)))
    encode(event)  # its value alone is small enough
    with refused(EventEncodeError, "1,047,552"), store.transaction() as db:
        add(db, event)
    assert waiting(store) == []


@contextmanager
def adding(store, event):
    """Add an event in a thread of its own, and commit at the end of the block."""
    added, commit = threading.Event(), threading.Event()

    def body():
        with store.transaction() as db:
            add(db, event)
            added.set()
            commit.wait(30)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    try:
        yield added
    finally:
        commit.set()
        thread.join(30)


def is_waited_for(store):
    """Say whether some transaction of PostgreSQL waits for its turn."""
    with store.transaction() as db:
        return db.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))


def test_events_of_one_key_cannot_overtake_each_other(store, url):
    """Two transactions overlap: the second one adds when the first one has ended.

    Otherwise PostgreSQL would give position 1 to the first, 2 to the second, and show 2 alone.
    """
    one, two = cancelled(reason="one"), cancelled(reason="two")
    with ExitStack() as second:
        with adding(store, one) as first_added:
            assert first_added.wait(10)
            second_added = second.enter_context(adding(store, two))
            if url.startswith("postgresql"):
                wait_until(lambda: is_waited_for(store), 10, "Nobody waits for the first one.")
            assert not second_added.is_set()
        assert second_added.wait(10)
    assert [decode(row.record) for row in waiting(store)] == [one, two]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # in SQLite none overlap
def test_a_row_that_is_seen_late_is_not_skipped(store):
    """Position 2 is committed, sent and removed before position 1 is there to be seen."""
    with adding(store, cancelled("O-1")) as added:
        assert added.wait(10)
        with adding(store, cancelled("O-2")) as other:
            assert other.wait(10), "other keys do not wait"
        (early,) = waiting(store)
        assert early.record.key == b"O-2"
        with store.transaction() as db:
            remove(db, [early.position])
    (late,) = waiting(store)
    assert late.record.key == b"O-1"
    assert late.position < early.position


def test_a_wave_has_one_event_of_each_key():
    """So the second is sent when the first is acknowledged, and cannot overtake it."""
    rows = [
        Waiting(position, topic, encode(cancelled(order_id)))
        for position, (topic, order_id) in enumerate(
            [("a", "O-1"), ("a", "O-2"), ("a", "O-1"), ("b", "O-1"), ("a", "O-1")]
        )
    ]
    assert [[row.position for row in wave] for wave in waves(rows)] == [[0, 1, 3], [2], [4]]
    assert waves([]) == []
