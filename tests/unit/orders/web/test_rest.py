"""A command is one event in the outbox, or a problem; reads tell what the handlers made of them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from eventlab.orders import OrderCreated, OrderPaid, OrderStatus
from tests.unit.orders.web.conftest import ORDER

TOTAL = {"amount": "10.00", "method": "card"}


def assert_problem(answer, status, *words, type="about:blank"):  # noqa: A002
    """Check the form of RFC 9457."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["type"].removeprefix("https://eventlab.example/problems/") == type
    assert told["title"]
    for word in words:
        assert word in answer.text
    return told


def placed(shop, client, **more):
    """Place an order and let the handlers write it; return its id."""
    answer = client.post("/orders", json=ORDER | more)
    assert answer.status_code == 202, answer.text
    shop.handle()
    return answer.json()["order_id"]


def test_an_order_is_accepted_and_can_be_looked_up(shop, client):
    """202 says which event it became and where its effect will be; the catalogue has the price."""
    answer = client.post("/orders", json=ORDER)
    assert answer.status_code == 202
    told = answer.json()
    [event] = shop.events()
    assert isinstance(event, OrderCreated)
    assert (event.event_id, event.order_id) == (told["event_id"], told["order_id"])
    assert [(item.product_id, item.quantity, item.unit_price) for item in event.items] == [
        ("CUP", 2, Decimal("5.00"))
    ]
    assert answer.headers["location"] == f"/orders/{told['order_id']}"
    assert_problem(client.get(answer.headers["location"]), 404, type="order-not-found")
    shop.handle()
    found = client.get(answer.headers["location"])
    assert found.status_code == 200
    assert found.json()["total_amount"] == "10.00"
    assert found.json()["status"] == "created"


def test_an_order_goes_all_its_ways(shop, client):
    """Paid, sent in two parcels, delivered, refunded: each a POST, an event, and a new status."""
    order = placed(shop, client, items=[*ORDER["items"], {"product_id": "POT", "quantity": 1}])
    one = [{"product_id": "POT", "quantity": 1}]
    steps = [
        ("payments", {"amount": "22.50", "method": "card"}, "paid"),
        ("shipments", {"carrier": "Snail", "items": one, "shipment_id": "S-1"}, "partly_shipped"),
        ("deliveries", {"shipment_id": "S-1"}, "partly_shipped"),
        ("shipments", {"carrier": "Snail Mäil", "shipment_id": "S-2"}, "shipped"),
        ("deliveries", {"shipment_id": "S-2"}, "delivered"),
        ("refund", {"method": "card"}, "refunded"),
    ]
    for name, body, status in steps:
        answer = client.post(f"/orders/{order}/{name}", json=body)
        assert answer.status_code == 202, answer.text
        shop.handle()
        assert client.get(f"/orders/{order}").json()["status"] == status
    assert len(shop.events()) == 7
    found = client.get(f"/orders/{order}").json()
    assert [item["quantity"] for parcel in found["shipments"] for item in parcel["items"]] == [1, 2]
    assert [payment["status"] for payment in found["payments"]] == ["captured", "refunded"]


def test_an_order_can_be_cancelled_once(shop, client):
    """What does not follow from where the order stands is a conflict, and no event."""
    order = placed(shop, client)
    body = {"reason": "Changed my mind"}
    assert client.post(f"/orders/{order}/cancellation", json=body).status_code == 202
    shop.handle()
    for name, given in [("cancellation", body), ("payments", TOTAL)]:
        told = assert_problem(
            client.post(f"/orders/{order}/{name}", json=given), 409, type="order-conflict"
        )
        assert "cancelled" in told["detail"]
    assert len(shop.events()) == 2


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("payments", {"amount": "9.99", "method": "card"}, "10.00 EUR"),
        ("shipments", {"carrier": "Snail"}, "created"),
        ("deliveries", {"shipment_id": "S-1"}, "not on the road"),
        ("refund", {"method": "card"}, "created"),
    ],
)
def test_what_cannot_happen_now_is_a_conflict(shop, client, name, body, words):
    """The answer says how the order stands, in the domain's own words."""
    order = placed(shop, client)
    answer = client.post(f"/orders/{order}/{name}", json=body)
    assert_problem(answer, 409, words, type="order-conflict")
    assert len(shop.events()) == 1


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({**ORDER, "customer_id": "C-2"}, "customer"),
        ({**ORDER, "items": [{"product_id": "PAN", "quantity": 1}]}, "product"),
        ({**ORDER, "items": [{"product_id": "POT", "quantity": 1_000_000}] * 801}, "total"),
    ],
)
def test_what_the_shop_does_not_know_is_a_conflict(shop, client, body, word):
    """A customer may be registered, a product listed, a moment later: nothing is wrong with it."""
    assert_problem(client.post("/orders", json=body), 409, word, type="order-conflict")
    assert shop.events() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"customer_id": "C-1"}, "items"),
        ({**ORDER, "items": []}, "items"),
        ({**ORDER, "items": [{"product_id": "CUP", "quantity": 0}]}, "items[0].quantity"),
        ({**ORDER, "items": [{"product_id": "CUP", "quantity": True}]}, "items[0].quantity"),
        ({**ORDER, "items": [{"product_id": "CUP", "quantity": 1.5}]}, "items[0].quantity"),
        ({**ORDER, "items": ["CUP"]}, "items[0]"),
        ({**ORDER, "customer_id": "C-1\n"}, "customer_id"),
        ({**ORDER, "customer_id": None}, "customer_id"),
        ({**ORDER, "price": "0.01"}, "price"),
        ({**ORDER, "unit_price": "0.01"}, "unit_price"),
    ],
)
def test_a_field_that_is_wrong_is_named(shop, client, body, field):
    """422, the field, and what it may be; nobody sends a price of their own."""
    told = assert_problem(client.post("/orders", json=body), 422, type="event-validation-error")
    assert told["field"] == field
    assert shop.events() == []


def test_pages_of_orders_are_bounded_and_lead_on(shop, client):
    """`next` is the `after` of the page that follows; filters are kept apart by SQL."""
    ids = sorted(placed(shop, client) for _ in range(5))
    client.post(f"/orders/{ids[0]}/payments", json=TOTAL)
    shop.handle()
    seen, after = [], None
    for _ in range(3):
        told = client.get("/orders", params={"limit": 2} | ({"after": after} if after else {}))
        seen += [order["order_id"] for order in told.json()["orders"]]
        after = told.json()["next"]
    assert (seen, after) == (ids, None)
    paid = client.get("/orders", params={"status": "paid", "customer_id": "C-1"}).json()["orders"]
    assert [(o["order_id"], o["status"], o["total_amount"]) for o in paid] == [
        (ids[0], OrderStatus.PAID, "10.00")
    ]
    assert client.get("/orders", params={"customer_id": "C-9"}).json() == {
        "orders": [],
        "next": None,
    }
    for wrong in ({"limit": 0}, {"limit": 101}, {"after": "'"}, {"status": "lost"}):
        assert_problem(client.get("/orders", params=wrong), 422, *wrong)


def test_the_catalogue_comes_in_pages(client):
    """A page of the shop asks for it before anything can be ordered."""
    first = client.get("/products", params={"limit": 1}).json()
    assert first["products"] == [
        {"product_id": "CUP", "name": "A cup", "category": "kitchen", "unit_price": "5.00"}
    ]
    then = client.get("/products", params={"limit": 1, "after": first["next"]}).json()
    assert ([p["product_id"] for p in then["products"]], then["next"]) == (["POT"], None)


def test_a_value_that_looks_like_sql_is_a_value(shop, client):
    """64: it is stored, and read back, as it was given."""
    order = placed(shop, client)
    evil = "'); DROP TABLE orders; --"
    assert client.post(f"/orders/{order}/payments", json=TOTAL).status_code == 202
    shop.handle()
    assert client.post(f"/orders/{order}/shipments", json={"carrier": evil}).status_code == 202
    shop.handle()
    assert client.get(f"/orders/{order}").json()["shipments"][0]["carrier"] == evil
    assert isinstance(shop.events()[1], OrderPaid)
