"""A subscriber that cannot work is refused before it opens anything."""

from __future__ import annotations

import datetime as dt

import pytest

from eventlab.errors import InvalidSetting
from eventlab.orders import OrderCreated
from eventlab.orders.publisher import KafkaAway
from eventlab.orders.store import Store
from eventlab.orders.subscriber import OrderSubscriber, replay
from tests.unit.refusals import refused

NOWHERE = "127.0.0.1:1"


def one(event):
    """A handler without a database."""


def two(event, db):
    """A handler with one."""


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"handler": "no function"}, "'no function'"),
        ({"handler": None}, "None"),
        ({"handler": lambda: None}, "lambda"),
        ({"handler": two}, "two(event, db)"),
        ({"handler": {}}, "{}"),
        ({"handler": {"order.created": one}}, "'order.created'"),
        ({"handler": {OrderCreated: two}}, "two(event, db)"),
        ({"group_id": ""}, "''"),
        ({"group_id": "g" * 300}, "'ggg"),
        ({"group_id": None}, "None"),
        ({"topics": []}, "[]"),
        ({"topics": "or ders"}, "'or ders'"),
        ({"topics": ["orders", 1]}, "1"),
        ({"pattern": "orders(["}, "'orders(['"),
        ({"types": ["OrderCreated"]}, "OrderCreated"),
        ({"types": []}, "[]"),
        ({"where": "key == 1"}, "'key == 1'"),
        ({"start": "now"}, "'now'"),
        ({"start": dt.datetime(2026, 6, 1)}, "datetime"),
        ({"tries": 0}, "0"),
        ({"tries": True}, "True"),
        ({"backoff": 0}, "0"),
        ({"park": True}, "park=True"),
        ({"timer": two}, "timer="),
        ({"enable_auto_commit": True}, "True"),
        ({"session_timeout": 1}, "session_timeout"),
        ({"session_timeout_ms": "x"}, "x"),
        ({"bootstrap_servers": "nowhere"}, "'nowhere'"),
    ],
)
def test_what_cannot_be_is_refused(given, seen):
    """With the value, and what to write instead."""
    told = {"bootstrap_servers": NOWHERE, "group_id": "billing", "handler": one, **given}
    with refused(InvalidSetting, seen):
        OrderSubscriber(**told)


def test_with_a_store_a_handler_takes_the_connection_too(tmp_path):
    """A wrong number of arguments would send every event to the dead letters."""
    with Store(tmp_path / "shop.db") as store, refused(InvalidSetting, "one(event)"):
        OrderSubscriber(NOWHERE, "billing", store=store, handler=one)


def test_where_nobody_answers_kafka_is_away():
    """In the time that was given, and without a thread that stays."""
    with refused(KafkaAway, NOWHERE, within=5):
        OrderSubscriber(NOWHERE, "billing", handler=one, bootstrap_timeout_ms=300)
    with refused(KafkaAway, NOWHERE, within=9):
        replay(NOWHERE, "orders-dlt", bootstrap_timeout_ms=300)


def test_a_time_without_a_zone_is_none():
    """Nobody knows whose midnight it would be."""
    with refused(InvalidSetting, "datetime"):
        replay(NOWHERE, "orders-dlt", since=dt.datetime(2026, 6, 1))
