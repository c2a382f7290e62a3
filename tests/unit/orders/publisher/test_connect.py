"""Nobody answers: it is said within three seconds, by address and cause, and nothing is left."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from eventlab.orders.publisher import KafkaAway, OrderPublisher
from tests.unit.leftovers import nothing_left
from tests.unit.refusals import refused

IN_TIME = 3.0


@contextlib.contextmanager
def listening(answer: bytes | None):
    """Give the address of somebody who accepts connections, and says this or nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:

        def serve():
            with contextlib.suppress(OSError):  # the end of the block
                while True:
                    client, _ = server.accept()
                    with client:
                        client.recv(1000)
                        client.sendall(answer)

        if answer is not None:
            threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def nobody():
    """The address of a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"127.0.0.1:{port}"


def test_a_refused_connection(nobody):
    with nothing_left(), refused(KafkaAway, nobody, "Connection refused", within=IN_TIME):
        OrderPublisher(nobody)


def test_the_address_of_a_name_that_is_none():
    with refused(KafkaAway, "no-such-host.invalid:9092", within=IN_TIME):
        OrderPublisher("no-such-host.invalid:9092")


def test_a_broker_that_is_frozen():
    """Connections are accepted by the system, and nothing ever answers."""
    silent = "does not answer"
    with (
        listening(None) as address,
        nothing_left(),
        refused(KafkaAway, address, silent, within=IN_TIME),
    ):
        OrderPublisher(address)


def test_somebody_who_is_no_broker():
    with (
        listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address,
        refused(KafkaAway, address, "does not answer", within=IN_TIME),
    ):
        OrderPublisher(address)


def test_several_addresses_are_all_named(nobody):
    with refused(KafkaAway, f"127.0.0.1:1, {nobody}", within=IN_TIME):
        OrderPublisher(["127.0.0.1:1", nobody])
