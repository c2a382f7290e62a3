"""Socket.IO does what REST does, by the same rules; its own client is the one that asks."""

from __future__ import annotations

import json
import time

import httpx
import pytest
import socketio
from socketio.exceptions import ConnectionError as NotConnected
from websocket import ABNF, create_connection

from eventlab.orders.web import guard, serve
from eventlab.waiting import wait_until
from tests.unit.orders.web.conftest import ORDER, Shop


@pytest.fixture
def client(served):
    """A client that has shown the token."""
    with socketio.SimpleClient() as client:
        client.connect(
            served.url, auth={"token": served.token_file.read_text()}, transports=["websocket"]
        )
        yield client


def test_an_order_is_acknowledged_with_its_ids(open_shop, client):
    """The event is in the outbox when the client hears of it."""
    told = client.call("place_order", ORDER)
    event = open_shop.events()[-1]
    assert told == {"order_id": event.order_id, "event_id": event.event_id}


def test_the_same_key_is_the_same_order(open_shop, client):
    """A client that lost its connection asks again with the key, as with REST."""
    before = len(open_shop.events())
    assert client.call("place_order", (ORDER, "key")) == client.call("place_order", (ORDER, "key"))
    assert len(open_shop.events()) == before + 1
    other = {**ORDER, "items": [{"product_id": "POT", "quantity": 1}]}
    assert client.call("place_order", (other, "key"))["problem"]["status"] == 422


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({}, 422),
        ({**ORDER, "customer_id": "C-2"}, 409),
        ({**ORDER, "price": "0.01"}, 422),
        ({**ORDER, "items": [[[[[[[[]]]]]]]]}, 422),
        ("text", 400),
        ([ORDER], 400),
        (None, 400),
        ((ORDER, 7), 422),
        ((ORDER, "x" * 201), 422),
        ((ORDER, "key\n"), 422),
    ],
)
def test_what_is_wrong_is_acknowledged_as_a_problem(open_shop, client, data, status):
    """In the form of REST; the connection stays."""
    before = len(open_shop.events())
    told = client.call("place_order", data)
    assert told["problem"]["status"] == status, told
    assert len(open_shop.events()) == before
    assert "order_id" in client.call("place_order", ORDER)


def test_who_follows_an_order_is_told_how_it_is(open_shop, client):
    """Later events come from Kafka; what was before is in the tables, or not there yet."""
    told = client.call("place_order", ORDER)
    assert client.call("follow", told["order_id"]) == {"order": None}
    open_shop.handle()
    order = client.call("follow", told["order_id"])["order"]
    assert (order["order_id"], order["status"]) == (told["order_id"], "created")
    for wrong in ("", "a b", None, 7, {"order_id": "O-1"}, "x" * 65):
        assert client.call("follow", wrong)["problem"]["status"] == 422


@pytest.mark.parametrize("auth", [None, {}, {"token": ""}, {"token": "wrong"}, "token", ["token"]])
def test_without_the_token_nobody_comes_in(served, auth):
    """S3: refused at the handshake, with how to ask."""
    client = socketio.Client(reconnection=False)
    with pytest.raises(NotConnected):
        client.connect(served.url, auth=auth, transports=["websocket"])
    client.shutdown()


def opened(served, **options):
    """Open a WebSocket as the protocol has it, and return it before it shows anything."""
    address = served.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    return create_connection(address, timeout=20, **options)


def test_who_does_not_show_the_token_in_time_is_sent_away(served, monkeypatch):
    """Else anybody on this machine could keep all connections for ever."""
    monkeypatch.setattr(guard, "WELCOME_WITHIN", 0.3)
    connection = opened(served)
    assert connection.recv().startswith("0{")
    begun = time.monotonic()
    while connection.connected and connection.recv():
        continue
    assert time.monotonic() - begun < 10


def test_who_has_shown_the_token_may_stay_silent(served, monkeypatch):
    """The deadline is for the welcome alone."""
    monkeypatch.setattr(guard, "WELCOME_WITHIN", 0.3)
    connection = opened(served)
    connection.recv()
    connection.send("40" + json.dumps({"token": served.token_file.read_text()}))
    assert connection.recv().startswith("40{")
    begun = time.monotonic()
    wait_until(lambda: time.monotonic() - begun > 0.8, 5, "Time stands still.")
    connection.send('420["follow","O-1"]')
    assert connection.recv() == '430[{"order":null}]'
    connection.close()


@pytest.mark.parametrize(
    "message",
    [
        "42" + json.dumps(["place_order", {"customer_id": "x" * guard.MOST_BYTES}]),
        "[" * 60_000,
        "4" + "2" * 60_000,
        '42["place_order",' + "[" * 50_000,
        '42["place_order",' + "[" * 33 + "]" * 34,
        '42["place_order",{"customer_id":"C-1","customer_id":"C-2"}]',
        '42["place_order",{"customer_id":NaN}]',
        '42["place_order",{"customer_id":"\\ud800"}]',
        "", "9", "nonsense", "4", "42", "451-", "45999999999-[]", '42{"a":1}', "42[]", "42[null]",
        "429999999999999[]", "40/admin,", b"binary", b"",
    ],
)  # fmt: skip
def test_a_message_that_is_none_ends_its_connection(served, client, message, caplog):
    """69: too large, too deep, read in two ways, of no known kind; nobody else notices."""
    connection = opened(served)
    connection.recv()
    connection.send("40" + json.dumps({"token": served.token_file.read_text()}))
    connection.recv()
    connection.send(message, ABNF.OPCODE_BINARY if isinstance(message, bytes) else ABNF.OPCODE_TEXT)
    while connection.connected and connection.recv():
        continue  # until it is ended
    assert client.call("follow", "O-1") == {"order": None}
    assert not caplog.records
    connection.close()


@pytest.mark.parametrize(
    "options", [{"origin": "http://evil.example"}, {"host": "evil.example"}, {"origin": "null"}]
)
def test_pages_of_others_do_not_get_in(served, options):
    """S3: browsers let any page open a WebSocket, so the origin is looked at here."""
    with pytest.raises(Exception, match="403"):
        opened(served, **options)


def test_long_polling_is_not_offered(served):
    """What is sent before the token was shown would be kept for anybody."""
    answer = httpx.get(f"{served.url}/socket.io/?EIO=4&transport=polling")
    assert answer.status_code == 426
    assert answer.headers["content-type"] == "application/problem+json"


def test_who_asks_too_often_is_told_so(small_shop):
    """The bucket is that of REST."""
    shop = Shop(small_shop.store, rate=1.0)
    with serve(shop.api) as server, socketio.SimpleClient() as client:
        token = server.token_file.read_text()
        client.connect(server.url, auth={"token": token}, transports=["websocket"])
        told = [client.call("follow", "O-1") for _ in range(4)]
    assert told[0] == {"order": None}
    assert told[-1]["problem"]["status"] == 429


def test_connections_are_counted(served, client):
    """The gauge follows them down again."""
    headers = {"Authorization": f"Bearer {served.token_file.read_text()}"}

    def connected(number):
        text = httpx.get(f"{served.url}/metrics", headers=headers).text
        return f"socketio_clients {number}.0" in text

    wait_until(lambda: connected(1), 5, "It is not counted.")
    client.disconnect()
    wait_until(lambda: connected(0), 5, "It is still counted.")
