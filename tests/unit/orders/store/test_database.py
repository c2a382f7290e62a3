"""A store keeps all of a transaction or nothing, and says what is wrong with a database."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from eventlab.errors import InvalidSetting
from eventlab.orders.store import Store, database
from eventlab.orders.store.errors import StoreAway, StoreMismatch
from eventlab.orders.store.schema import METADATA, customers, order_items, orders, schema_version
from tests.unit.refusals import refused

NOW = datetime(2026, 6, 1, 8, 15, tzinfo=UTC)


def order(order_id="O-1", **columns):
    row = {
        "order_id": order_id,
        "customer_id": "C-1",
        "created": NOW,
        "status": "created",
        "total_cents": Decimal("79.80"),
        "currency": "EUR",
        "changed": NOW,
        "last_event": "1 /shop",
        "correlation_id": "1",
    }
    return row | columns


def count(store, table):
    with store.transaction() as db:
        return db.scalar(select(func.count()).select_from(table))


def test_money_and_times_come_back_as_they_were(store):
    """Exact to the cent and the microsecond, in UTC, whatever the zone they were given in."""
    summer = datetime(2026, 6, 1, 10, 15, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    largest = Decimal("9999999999.99")
    with store.transaction() as db:
        db.execute(orders.insert(), order(created=summer, total_cents=largest))
        row = db.execute(select(orders)).one()
    assert row.total_cents == largest
    assert row.created == summer
    assert row.created.tzinfo is UTC


def test_money_is_summed_exactly_by_the_database(store):
    """0.10 and 0.20 are 0.30; floats of SQLite would make 0.30000000000000004."""
    with store.transaction() as db:
        for number, total in enumerate(["0.10", "0.20"]):
            db.execute(orders.insert(), order(f"O-{number}", total_cents=Decimal(total)))
        assert db.scalar(select(func.sum(orders.c.total_cents))) == Decimal("0.30")


@pytest.mark.parametrize(
    "wrong", [{"created": datetime(2026, 6, 1)}, {"total_cents": Decimal("0.001")}]
)
def test_a_time_without_a_zone_and_half_a_cent_are_refused(store, wrong):
    """Nobody can know what was meant."""
    with pytest.raises(StatementError), store.transaction() as db:
        db.execute(orders.insert(), order(**wrong))
    assert count(store, orders) == 0


def test_a_transaction_that_raises_changes_nothing(store):
    """Whatever it had written before."""

    def fail() -> None:
        with store.transaction() as db:
            db.execute(orders.insert(), order())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert count(store, orders) == 0


@pytest.mark.parametrize(
    "rows",
    [
        [(orders, order(status="lost"))],
        [(orders, order(total_cents=Decimal("0.00")))],
        [(orders, order()), (orders, order())],
        [(order_items, {"order_id": "O-9", "line": 1, "product_id": "P", "quantity": 1,
                        "unit_price_cents": Decimal("1.00")})],
    ],
    ids=["unknown status", "nothing to pay", "the same order twice", "an item of no order"],
)  # fmt: skip
def test_the_tables_refuse_what_cannot_be(store, rows):
    """On both databases alike: SQLite's foreign keys are on."""

    def write() -> None:
        with store.transaction() as db:
            for table, row in rows:
                db.execute(table.insert(), row)

    with pytest.raises(IntegrityError):
        write()


def test_values_are_data_and_never_sql(store):
    """Item 64."""
    name = "'); DROP TABLE customers; --"
    row = {"customer_id": "C-1", "name": name, "country": "DE", "since": NOW}
    with store.transaction() as db:
        db.execute(customers.insert(), row)
        assert db.scalar(select(customers.c.name)) == name


def test_a_store_is_opened_again_with_what_is_in_it(store, url):
    """By another process, or the same one later."""
    with store.transaction() as db:
        db.execute(orders.insert(), order())
    with Store(url) as again:
        assert count(again, orders) == 1


def test_a_table_is_read_as_a_frame(store):
    """With its columns even when nothing is in it."""
    empty = store.read(select(orders.c.order_id, orders.c.total_cents))
    assert empty.empty
    assert list(empty.columns) == ["order_id", "total_cents"]
    with store.transaction() as db:
        db.execute(orders.insert(), [order("O-1"), order("O-2")])
    read = store.read(select(orders.c.order_id, orders.c.total_cents).order_by("order_id"))
    assert read.to_dict("list") == {
        "order_id": ["O-1", "O-2"],
        "total_cents": [Decimal("79.80")] * 2,
    }


def test_reading_does_not_wait_for_a_writer(store):
    """A dashboard must not stop the subscriber, nor the other way round."""
    with store.transaction() as db:
        db.execute(orders.insert(), order())
        assert store.read(select(orders)).empty  # what is not committed is not seen


def test_two_writers_take_turns(store):
    """100 increments from 4 threads are 100: nobody reads what another is about to change."""
    with store.transaction() as db:
        db.execute(orders.insert(), order(total_cents=Decimal("1.00")))

    def add() -> None:
        for _ in range(25):
            with store.transaction() as db:
                seen = db.scalar(select(orders.c.total_cents).with_for_update())
                db.execute(orders.update().values(total_cents=seen + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with store.transaction() as db:
        assert db.scalar(select(orders.c.total_cents)) == Decimal("101.00")


def test_many_open_an_empty_database_at_once(url):
    """API, relay and subscribers are started together: one makes the tables, all find them."""
    many = 8

    def opens(begin) -> None:
        begin.wait(30)
        with Store(url) as store:
            assert count(store, orders) == 0

    for _ in range(10):
        begin = threading.Barrier(many)
        with ThreadPoolExecutor(many) as pool:
            for opened in [pool.submit(opens, begin) for _ in range(many)]:
                opened.result(60)
        remove(url)


def remove(url):
    """Make a database empty again."""
    if not url.startswith("postgresql"):
        for file in Path(url).parent.glob(f"{Path(url).name}*"):
            file.unlink()
        return
    with Store(url) as store, store.transaction() as db:
        METADATA.drop_all(db)


def test_a_store_of_another_version_is_refused_and_untouched(store, url):
    """Item 62: nothing is written into tables whose meaning is not known."""
    with store.transaction() as db:
        db.execute(schema_version.update().values(version=99))
    with refused(StoreMismatch, "version 99", "Use another file or database"):
        Store(url)
    with store.transaction() as db:
        assert db.scalar(select(schema_version.c.version)) == 99


def test_a_database_with_other_tables_of_these_names_is_refused(url):
    """It belongs to somebody."""
    with Store(url) as store, store.transaction() as db:
        METADATA.drop_all(db)
        db.execute(text("CREATE TABLE orders (mine INTEGER)"))
    with refused(StoreMismatch, "tables of the same names: orders"):
        Store(url)


def test_a_locked_database_is_told_after_a_while(tmp_path, monkeypatch):
    """Item 63: somebody else holds the lock, and does not let go."""
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    file = tmp_path / "shop.db"
    with Store(file) as store, closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with refused(StoreAway, "shop.db does not answer", "locked"), store.transaction():
            pass
        other.execute("ROLLBACK")
        assert count(store, orders) == 0


def test_a_file_that_is_no_database_is_told(tmp_path):
    """Item 63: corrupt, or something else altogether."""
    file = tmp_path / "shop.db"
    file.write_bytes(b"not a database" * 100)
    with refused(StoreMismatch, "not a database"):
        Store(file)
    assert file.read_bytes() == b"not a database" * 100


def test_a_folder_that_is_not_there_is_told(tmp_path):
    """Item 63."""
    with refused(StoreAway, "unable to open database file"):
        Store(tmp_path / "nowhere" / "shop.db")


def test_a_server_that_is_not_there_is_told_at_once():
    """And the password is in no message."""
    with refused(StoreAway, "127.0.0.1:9", "***", within=8) as error:
        Store("postgresql://shop:secret@127.0.0.1:9/shop")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["mysql://shop:secret@h/shop", "nonsense://x", "postgresql+psycopg2://h/shop"]
)
def test_what_is_no_database_of_ours_is_refused(url):
    """Before anything is opened."""
    with refused(InvalidSetting, "no database that the shop can use") as error:
        Store(url)
    assert "secret" not in str(error.value)
