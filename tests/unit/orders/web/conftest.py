"""A shop with a catalogue behind an API that needs no Kafka: events wait in the outbox."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from eventlab.orders import CustomerRegistered, ProductListed, decode
from eventlab.orders.cloudevents import Encoded
from eventlab.orders.handlers import handle
from eventlab.orders.store import Store
from eventlab.orders.store.schema import outbox
from eventlab.orders.web import OrderApi, serve
from tests.unit.orders.databases import postgresql, store, url  # noqa: F401 (fixtures)

HERE = "http://127.0.0.1:8000"
ORDER = {"customer_id": "C-1", "items": [{"product_id": "CUP", "quantity": 2}]}


class Shop:
    """An API with its store, and what a subscriber would do."""

    def __init__(self, kept: Store, **options) -> None:
        self.store = kept
        self.api = OrderApi(kept, **options)
        self.handled = 0

    def events(self) -> list:
        """Return the events that wait in the outbox, in their order."""
        with self.store.reading() as db:
            rows = db.execute(select(outbox).order_by(outbox.c.position)).all()
        return [decode(Encoded(row.key, row.value, [])) for row in rows]

    def handle(self) -> None:
        """Let the handlers do what a subscriber will let them do."""
        waiting = self.events()[self.handled :]
        with self.store.transaction() as db:
            for event in waiting:
                handle(event, db)
        self.handled += len(waiting)

    @contextlib.contextmanager
    def client(self, **headers: str):
        """Give an HTTP client that has the token, unless other headers are given."""
        token = self.api.access.exchange(self.api.access.code())
        given = headers or {"Authorization": f"Bearer {token}"}
        with TestClient(self.api, HERE, headers=given, raise_server_exceptions=False) as client:
            yield client


def stocked(kept: Store) -> Store:
    """Return the store with a customer and two products in it."""
    with kept.transaction() as db:
        handle(CustomerRegistered("C-1", "Ada", "DE"), db)
        handle(ProductListed("CUP", "A cup", "kitchen", Decimal("5.00")), db)
        handle(ProductListed("POT", "A pot", "kitchen", Decimal("12.50")), db)
    return kept


@pytest.fixture
def shop(store):  # noqa: F811
    """A shop on each database."""
    return Shop(stocked(store))


@pytest.fixture
def client(shop):
    with shop.client() as client:
        yield client


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory):
    """A shop on SQLite that a module's tests share, without a limit to how often they ask."""
    with Store(tmp_path_factory.mktemp("shop") / "shop.db") as kept:
        yield Shop(stocked(kept), rate=1_000_000.0)


@pytest.fixture(scope="module")
def served(open_shop):
    """A server of that shop."""
    with serve(open_shop.api) as server:
        yield server


@pytest.fixture
def small_shop(tmp_path):
    """A shop on SQLite alone, for what has nothing to do with a database."""
    with Store(tmp_path / "shop.db") as kept:
        yield Shop(stocked(kept))
