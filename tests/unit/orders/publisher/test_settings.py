"""What a publisher may be told: safe settings of KafkaProducer, and nothing else."""

from __future__ import annotations

import socket

import pytest
from kafka import KafkaProducer

from eventlab.errors import InvalidSetting
from eventlab.orders.publisher import OrderPublisher
from eventlab.orders.publisher.settings import SAFE, settings
from tests.unit.refusals import refused

NOBODY = "127.0.0.1:1"


def test_what_is_not_said_is_safe():
    """Acknowledged by all replicas in sync, once and in order; nothing is created by a typo."""
    assert settings({}).items() >= SAFE.items()
    assert (SAFE["acks"], SAFE["enable_idempotence"]) == ("all", True)
    assert SAFE["allow_auto_create_topics"] is False
    assert SAFE.keys() <= KafkaProducer.DEFAULT_CONFIG.keys()


def test_a_caller_may_choose_what_is_safe():
    chosen = {"linger_ms": 5, "compression_type": "gzip", "acks": -1, "delivery_timeout_ms": 20_000}
    assert settings(chosen).items() >= {**SAFE, **chosen}.items()


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"acks": 1}, "acks=1"),
        ({"acks": "2"}, "acks='2'"),
        ({"acks": 5}, "acks=5"),
        ({"acks": True}, "acks=True"),
        ({"acks": 0}, "acks=0"),
        ({"acks": None}, "acks=None"),
        ({"enable_idempotence": False}, "twice"),
        ({"enable_idempotence": 1}, "True or False"),
        ({"allow_auto_create_topics": True}, "typed wrong"),
        ({"max_in_flight_requests_per_connection": 6}, "at most 5"),
        ({"max_in_flight_requests_per_connection": 0}, "at most 5"),
        ({"retries": 0}, "delivery_timeout_ms"),
        ({"key_serializer": str.encode}, "encoded already"),
        ({"value_serializer": None}, "encoded already"),
        ({"partitioner": None}, "one partition"),
        ({"transactional_id": "me"}, "outbox"),
        ({"kafka_client": None}, "closes"),
        ({"linger": 5}, "Did you mean 'linger_ms'?"),
        ({"batch": 5}, "Did you mean 'batch_size'?"),
        ({"qqqqqqqq": 5}, "linger_ms"),
        ({"linger_ms": "5"}, "linger_ms='5'"),
        ({"linger_ms": -1}, "linger_ms=-1"),
        ({"linger_ms": float("nan")}, "linger_ms=nan"),
        ({"max_block_ms": True}, "max_block_ms=True"),
        ({"request_timeout_ms": 1e99}, "1e+99"),
        ({"delivery_timeout_ms": 5_000}, "10,000"),
        ({"linger_ms": 59_000}, "69,000"),
    ],
)
def test_what_is_unsafe_or_unknown_is_refused_at_once(given, seen):
    """Before anybody is asked: no broker is at this address."""
    with refused(InvalidSetting, seen):
        OrderPublisher(NOBODY, **given)


def test_a_secret_is_not_shown():
    with refused(InvalidSetting, "sasl_plain_pasword") as caught:
        OrderPublisher(NOBODY, sasl_plain_pasword="hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            " ",
            "abc",
            "127.0.0.1",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "a b:9092",
            [],
            None,
            9092,
        ),
        *(b"127.0.0.1:9092", ["127.0.0.1:9092", 5], "127.0.0.1:9092,", "http://127.0.0.1:9092"),
    ],
)
def test_an_address_has_a_host_and_a_port(address):
    with refused(InvalidSetting, "addresses"):
        OrderPublisher(address)


@pytest.mark.parametrize("mode", ["", "Binary", None, 5, ["binary"]])
def test_a_content_mode_is_one_of_two(mode):
    with refused(InvalidSetting, "'structured' or 'binary'"):
        OrderPublisher(NOBODY, mode=mode)


@pytest.mark.parametrize("callback", ["print", 5, object()])
def test_a_callback_can_be_called(callback):
    with refused(InvalidSetting, "on_delivery"):
        OrderPublisher(NOBODY, on_delivery=callback)


@pytest.mark.parametrize("topic", [None, 5, b"orders", "", "a b", "x" * 250, "."])
def test_a_topic_has_a_name_that_topics_can_have(topic):
    with refused(InvalidSetting, "topic"):
        OrderPublisher(NOBODY, topic)


def test_nothing_is_opened_by_a_refusal(monkeypatch):
    def no_socket(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", no_socket)
    with refused(InvalidSetting):
        OrderPublisher(NOBODY, acks=1)
