"""The page of the shop in a real browser, on a real cluster: place an order, watch it move."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from eventlab import Cluster
from eventlab.orders import (
    CustomerRegistered,
    Event,
    OrderPaid,
    ProductListed,
    ShipmentDelivered,
    ShipmentSent,
    ShippedItem,
    decode,
    encode,
)
from eventlab.orders.catalogue import PRODUCTS
from eventlab.orders.errors import StepNotAllowed
from eventlab.orders.handlers import handle
from eventlab.orders.store import Store
from eventlab.orders.web import OrderApi, Server, serve
from eventlab.waiting import Deadline, wait_until
from tests.browser.conftest import screenshot
from tests.conftest import PREFIX

TOPIC = "orders"
TIMES = "\N{MULTIPLICATION SIGN}"
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(f"{PREFIX}-page", profile="small") as cluster:
        cluster.create_topic(TOPIC, partitions=3)
        yield cluster


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    """A store with the catalogue, one name of which is not kind to pages."""
    with Store(tmp_path / "shop.db") as store:
        with store.transaction() as db:
            handle(CustomerRegistered("C-00042", "Ada", "DE"), db)
            for p in PRODUCTS:
                handle(ProductListed(p.product_id, p.name, p.category, p.unit_price), db)
            handle(ProductListed("A-EVIL", EVIL, "kitchen", Decimal("1.00")), db)
        yield store


@pytest.fixture
def server(cluster: Cluster, store: Store) -> Iterator[Server]:
    api = OrderApi(store, cluster.bootstrap_servers)
    with serve(api) as server:
        assert api.feed.ready.wait(Deadline(30).left)
        yield server


@contextmanager
def handled(cluster: Cluster, store: Store) -> Iterator[None]:
    """Let a subscriber write what happens into the store."""
    end = threading.Event()

    def run() -> None:
        with KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers) as consumer:
            parts = [TopicPartition(TOPIC, number) for number in range(3)]
            consumer.assign(parts)
            consumer.seek_to_beginning(*parts)
            while not end.is_set():
                for records in consumer.poll(timeout_ms=100).values():
                    for record in records:
                        # what comes twice is refused here; a subscriber would have dropped it
                        with suppress(StepNotAllowed), store.transaction() as db:
                            handle(decode(record), db)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def publish(cluster: Cluster, *events: Event) -> None:
    """Publish what happened elsewhere."""
    with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer:
        for event in events:
            producer.send(TOPIC, **encode(event)._asdict()).get(timeout=30)


def test_an_order_moves_as_its_events_arrive(
    browser: Chrome, cluster: Cluster, store: Store, server: Server
) -> None:
    """Placed with the keyboard; paid and shipped elsewhere; delivered with a button of the page."""
    with handled(cluster, store):
        browser.get(server.link())
        assert (
            "#" not in browser.current_url
        )  # a reload, or a look over the shoulder, finds no code
        order = _place(browser)
        _until_it_is(browser, "created")
        assert _texts(browser, "tbody td:nth-child(2)") == ["order.created"]
        publish(cluster, OrderPaid(order, "P-1", Decimal("79.80"), "card"))
        _until_it_is(browser, "paid")
        screenshot(browser, "orders_page_light")
        part = (ShippedItem("GRUMPY-TEAPOT", 1),)
        publish(cluster, ShipmentSent(order, "S-1", "Snail", part))
        _until_it_is(browser, "partly shipped")
        rest = ShipmentSent(order, "S-2", "Snail", part)
        publish(cluster, rest, rest, ShipmentDelivered(order, "S-1"))
        _until_it_is(browser, "shipped")
        _wait_for(browser, lambda: len(_texts(browser, "tbody tr")) == 5, "Not all events came.")
        _click_until_it_is(browser, "Deliver", "delivered")
        _dark(browser)
        screenshot(browser, "orders_page_dark")
        _narrow(browser)
        screenshot(browser, "orders_page_narrow")
        _assert_it_comes_back(browser, order)
        assert browser.get_log("browser") == []


def test_a_name_that_is_html_is_text(browser: Chrome, server: Server) -> None:
    """S8: it is shown, and nothing of it runs; a code that was used lets nobody in."""
    link = server.link()
    browser.get(link)
    _wait_for(
        browser, lambda: EVIL + ", 1.00" in _texts(browser, "#product option"), "No catalogue."
    )
    _one(browser, "#add").click()
    assert _texts(browser, "#basket li") == [f"1 {TIMES} {EVIL} Remove"]
    assert not browser.find_elements(By.CSS_SELECTOR, "main img")
    browser.switch_to.new_window("tab")
    browser.get(link)
    _wait_for(browser, lambda: "needs a code" in _one(browser, "#message").text, "It came in.")


def _place(browser: Chrome) -> str:
    """Choose two teapots and order them without a mouse; return the id of the order."""
    button = _one(browser, "#order")
    _wait_for(browser, button.is_enabled, "The page is not connected.")
    _wait_for(browser, lambda: len(_texts(browser, "option")) > 100, "There is no catalogue.")
    customer = _one(browser, "#customer")
    customer.send_keys(Keys.TAB, "Grumpy teapot")
    browser.switch_to.active_element.send_keys(Keys.TAB, Keys.DELETE, "2")
    browser.switch_to.active_element.send_keys(Keys.TAB, Keys.SPACE)
    assert _texts(browser, "#basket li") == [f"2 {TIMES} Grumpy teapot Remove"]
    browser.switch_to.active_element.send_keys(Keys.TAB, Keys.TAB, Keys.SPACE)
    _wait_for(browser, lambda: _texts(browser, "article h3"), "No order appears.")
    assert _texts(browser, "#basket li") == []
    return _texts(browser, "article h3")[0]


def _until_it_is(browser: Chrome, status: str) -> None:
    seen = lambda: _texts(browser, "[aria-current=step]")  # noqa: E731
    _wait_for(browser, lambda: seen() == [status], f"It is not {status}.")


def _click_until_it_is(browser: Chrome, name: str, status: str) -> None:
    """Click, and again when the tables were not as far as the page."""

    def clicked() -> bool:
        for button in browser.find_elements(By.CSS_SELECTOR, ".actions button:enabled"):
            if button.text == name:
                button.click()
        return _texts(browser, "[aria-current=step]") == [status]

    _wait_for(browser, clicked, f"It is not {status}.")


def _assert_it_comes_back(browser: Chrome, order: str) -> None:
    """A reload needs no new code, and shows the order as the tables have it."""
    browser.refresh()
    _until_it_is(browser, "delivered")
    assert _texts(browser, "article h3") == [order]


def _dark(browser: Chrome) -> None:
    scheme = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})


def _narrow(browser: Chrome) -> None:
    size = {"width": 400, "height": 1400, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 400


def _one(browser: Chrome, selector: str):
    return browser.find_element(By.CSS_SELECTOR, selector)


def _texts(browser: Chrome, selector: str) -> list[str]:
    script = """return Array.from(document.querySelectorAll(arguments[0]))
                            .map(found => found.textContent.replace(/^✓ /, ''))"""
    return browser.execute_script(script, selector)


def _wait_for(browser: Chrome, condition, otherwise: str) -> None:
    told = lambda: f"{otherwise} {_one(browser, 'body').text} {browser.get_log('browser')}"  # noqa: E731
    wait_until(condition, 30, told)
