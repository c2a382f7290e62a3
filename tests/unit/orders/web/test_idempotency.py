"""With an Idempotency-Key a request happens once, however often it is sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from eventlab.orders.store.schema import outbox, requests
from eventlab.orders.web.commands import CreateOrder, command_of
from eventlab.orders.web.errors import KeyOutstanding
from eventlab.orders.web.intake import Intake
from tests.unit.orders.web.conftest import ORDER
from tests.unit.orders.web.test_rest import assert_problem

KEY = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


def count(shop, table):
    with shop.store.reading() as db:
        return db.scalar(select(func.count()).select_from(table))


def test_the_same_key_and_body_are_the_same_event(shop, client):
    """Byte for byte: it is in the outbox once, and the answer is the same."""
    answers = [client.post("/orders", json=ORDER, headers=KEY) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len(shop.events()) == 1


def test_two_writings_of_one_request_are_one_request(shop, client):
    """The order of names and the spaces mean nothing; quotes around the key may be left out."""
    first = client.post("/orders", json=ORDER, headers=KEY)
    turned = dict(reversed(ORDER.items()))
    bare = {"Idempotency-Key": KEY["Idempotency-Key"].strip('"')}
    assert client.post("/orders", json=turned, headers=bare).json() == first.json()
    assert len(shop.events()) == 1


def test_a_key_with_another_request_is_refused(shop, client):
    """422, in the words of the draft; so is the same body for another order."""
    order = client.post("/orders", json=ORDER, headers=KEY).json()["order_id"]
    other = {**ORDER, "items": [{"product_id": "POT", "quantity": 1}]}
    for path, body in [("/orders", other), (f"/orders/{order}/cancellation", {"reason": "No"})]:
        told = assert_problem(client.post(path, json=body, headers=KEY), 422, type="key-reused")
        assert told["title"] == "Idempotency-Key is already used."
    assert len(shop.events()) == 1


def test_a_key_works_when_the_order_has_moved_on(shop, client):
    """The second try of a payment is answered as the first, not as a second payment."""
    order = client.post("/orders", json=ORDER).json()["order_id"]
    shop.handle()
    pay = {"amount": "10.00", "method": "card"}
    first = client.post(f"/orders/{order}/payments", json=pay, headers=KEY)
    shop.handle()
    assert client.post(f"/orders/{order}/payments", json=pay, headers=KEY).json() == first.json()
    assert_problem(client.post(f"/orders/{order}/payments", json=pay), 409, type="order-conflict")


def test_what_was_refused_leaves_no_key(shop, client):
    """It may be sent again with the same key when the reason is gone."""
    unknown = {**ORDER, "customer_id": "C-2"}
    assert_problem(client.post("/orders", json=unknown, headers=KEY), 409, type="order-conflict")
    assert count(shop, requests) == 0


def test_many_at_once_are_one_event(shop):
    """One of them makes the event; the others get it, or are told that it is under way."""
    command = command_of(CreateOrder, ORDER)
    one, other = Intake(shop.store), Intake(shop.store)  # as two processes

    def attempt(number):
        try:
            return (one, other)[number % 2].accept(command, f"O-{number}", True, "key").event_id
        except KeyOutstanding:
            return None

    with ThreadPoolExecutor(8) as pool:
        told = set(pool.map(attempt, range(40)))
    assert len(told - {None}) == 1
    assert len(shop.events()) == 1


@pytest.mark.parametrize("key", ["", '""', '"a', "a b", "x" * 201, "caf\u00e9"])
def test_what_is_no_key_is_refused(client, key):
    """It is a string of RFC 8941, or the same without its quotes."""
    headers = {"Idempotency-Key": key.encode("latin-1")}
    assert_problem(client.post("/orders", json=ORDER, headers=headers), 422, "Idempotency-Key")


def test_keys_of_yesterday_are_forgotten(shop, client):
    """The table stays as small as a day is."""
    client.post("/orders", json=ORDER, headers=KEY)
    old = datetime.now(UTC) - timedelta(days=1, seconds=1)
    with shop.store.transaction() as db:
        db.execute(requests.update().values(created=old))
    client.post("/orders", json=ORDER, headers={"Idempotency-Key": "another"})
    assert (count(shop, requests), count(shop, outbox)) == (1, 2)


def test_the_event_is_sent_again_when_it_is_not_known_whether_it_was(shop):
    """Directly: killed after the key was kept, the next try sends the same event, byte for byte."""
    command, sent = command_of(CreateOrder, ORDER), []

    def lost(event):
        sent.append(event)
        raise intake_failure

    intake_failure = ConnectionError("killed")
    with pytest.raises(ConnectionError):
        Intake(shop.store, lost).accept(command, "O-1", True, "key")
    again = Intake(shop.store, sent.append)
    assert again.accept(command, "O-2", True, "key").order_id == "O-1"
    again.accept(command, "O-3", True, "key")
    assert sent == [sent[0], sent[0]]
    assert count(shop, outbox) == 0
