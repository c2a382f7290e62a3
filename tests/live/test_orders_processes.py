"""The order system as processes: started as people start them, asked as operators ask them."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from kafka import KafkaProducer

from eventlab import environment, observe
from eventlab.cluster import registry
from eventlab.errors import UnknownTopic
from eventlab.orders import OrderCancelled, OrderCreated, OrderPaid, encode, read_orders, views
from eventlab.orders.asyncapi import TOPICS
from eventlab.orders.domain import total
from eventlab.orders.processes.sample import beginnings, happenings, recorded
from eventlab.orders.processes.status import look
from eventlab.orders.store import Store
from eventlab.waiting import Deadline, wait_until
from tests.conftest import nothing_left
from tests.live.subscribed import handled, records, wait_for

COMMAND = [sys.executable, "-m", "eventlab", "orders"]
KNOWN = len(list(beginnings()))  # who the customers are, what is sold


@pytest.fixture
def shop(cluster, tmp_path, monkeypatch):
    """Return a function that runs a command to its end; topics and tables are new."""
    monkeypatch.setenv("EVENTLAB_SERVERS", cluster.bootstrap_servers)
    monkeypatch.setenv("EVENTLAB_STORE", str(tmp_path / "shop.db"))
    yield run
    for topic in [*TOPICS.values(), *(f"{name}-dlt" for name in TOPICS.values())]:
        try:
            cluster.delete_topic(topic)
        except UnknownTopic:
            continue


def run(*arguments, code=0):
    """Run a command to its end; return what it printed."""
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=Deadline(60).left
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


class Process:
    """A process that is under way, and what it has said so far."""

    def __init__(self, folder, *arguments):
        name = f"{'-'.join(arguments[:1])}-{len(list(folder.iterdir()))}"
        self.out, self.err = folder / f"{name}.out", folder / f"{name}.err"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen([*COMMAND, *arguments], stdout=out, stderr=err)

    def said(self, start, within=30):
        """Wait for a line on stdout that begins so; return the rest of it."""

        def line():
            assert self.process.poll() is None, self.err.read_text()
            lines = self.out.read_text().splitlines()
            return next((line for line in lines if line.startswith(start)), None)

        return wait_until(line, within, f"{start} was not said.").removeprefix(start)


@contextmanager
def started(folder, *arguments):
    """Run a process in the block; SIGTERM has to end it in good order."""
    begun = Process(folder, *arguments)
    try:
        yield begun
        begun.process.send_signal(signal.SIGTERM)
        assert begun.process.wait(Deadline(20).left) == 0, begun.err.read_text()
    finally:
        if begun.process.poll() is None:
            begun.process.kill()
            begun.process.wait()


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def some_items():
    return next(event for event in happenings(1) if isinstance(event, OrderCreated)).items


def all_done(cluster, folder, orders, group="shop", file="shop.db"):
    """Wait until so many orders are in the tables, and nothing is left to read; return the status.

    It is asked here and not by the command: each of those takes a second to begin.
    """

    def found():
        now = look(cluster.bootstrap_servers, store, group)
        done = sum(now["orders"].values()) == orders and now["lag"] and not any(now["lag"].values())
        return now if done else None

    with Store(folder / file) as store:
        return wait_until(found, 60, "It is not all in the tables.", every=0.1)


def test_events_flow_into_sql_and_are_measured(shop, cluster, tmp_path):
    """Published, handled once, told by metrics and by JSON lines; a second group fills new tables.

    That is a blue/green replay: when green has caught up, who reads is pointed at green.
    """
    assert shop("publish", "--orders", "30").startswith("Published")
    with started(tmp_path, "subscribe", "--metrics-port", "0", "--log", "json") as subscriber:
        metrics = subscriber.said("Metrics: ")
        now = all_done(cluster, tmp_path, 30)
        told = get(metrics)
        ready = json.loads(get(metrics.replace("/metrics", "/health/ready")))
    assert now["dead_letters"] == {}
    events = len(list(happenings(30)))
    assert f'orders_events_handled_total{{outcome="done"}} {float(events)}' in told
    assert 'kafka_consumergroup_group_lag{group="shop",partition="0",topic="orders"} 0.0' in told
    assert ready == {"status": "pass", "sql": True, "kafka": True}
    lines = [json.loads(line) for line in subscriber.err.read_text().splitlines()]
    assert any(f"{events} events handled" in line["message"] for line in lines)
    assert json.loads(shop("status", "--json")) == now
    assert "dead letters  none" in shop("status")
    green = str(tmp_path / "green.db")
    with started(tmp_path, "subscribe", "--group", "green", "--store", green):
        all_done(cluster, tmp_path, 30, "green", "green.db")
    with Store(tmp_path / "shop.db") as blue, Store(tmp_path / "green.db") as other:
        assert views.orders(blue).equals(views.orders(other))
        assert views.revenue(blue).equals(views.revenue(other))


def test_an_order_goes_from_the_web_through_the_outbox_into_the_tables(shop, cluster, tmp_path):
    """API, relay and subscriber are three processes; each ends in good order at SIGTERM."""
    shop("publish", "--orders", "1")
    with (
        started(tmp_path, "subscribe"),
        started(tmp_path, "relay", "--metrics-port", "0") as relay,
        started(tmp_path, "api", "--outbox") as api,
    ):
        file, _, url = api.said("Programs send the token in ").removesuffix(".").partition(" to ")
        all_done(cluster, tmp_path, 1)
        token = {"Authorization": f"Bearer {Path(file).read_text()}"}
        wanted = {"customer_id": "C-00042"}
        wanted["items"] = [{"product_id": "GRUMPY-TEAPOT", "quantity": 2}]
        headers = {**token, "Content-Type": "application/json"}
        asked = urllib.request.Request(f"{url}/orders", json.dumps(wanted).encode(), headers)
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert answer.status == 202
        all_done(cluster, tmp_path, 2)
        assert "orders_outbox_waiting 0.0" in get(relay.said("Metrics: "))
    assert not Path(file).exists()


def test_a_member_that_joins_takes_some_of_the_partitions(shop, cluster, tmp_path):
    """Scaling out and in: every partition has an owner, and no event is lost on the way."""
    shop("publish", "--orders", "20")

    def owners():
        lag = observe.lag(cluster, "shop")
        return None if lag["consumer_id"].isna().any() else lag["consumer_id"].nunique()

    with started(tmp_path, "subscribe"):
        wait_until(lambda: owners() == 1, 30, "One has not got all.")
        with started(tmp_path, "subscribe"):
            wait_until(lambda: owners() == 2, 30, "Two do not share.")
            shop("publish", "--orders", "40")
            all_done(cluster, tmp_path, 40)
        wait_until(lambda: owners() == 1, 30, "The first has not got all again.")


def test_what_cannot_be_handled_is_shown_and_sent_back(shop, cluster, tmp_path):
    """A payment of no order is dead; once its order is there it is replayed, and in the tables."""
    order = OrderCreated("O-1", "C-00042", some_items())
    early = order.then(OrderPaid, "O-1", "P-1", total(order.items), "card")
    shop("publish", "--orders", "1")
    with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer:
        producer.send("orders", **encode(early)._asdict()).get(timeout=30)
    with started(tmp_path, "subscribe"):
        assert all_done(cluster, tmp_path, 1)["dead_letters"] == {"orders-dlt": 1}
        with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer:
            producer.send("orders", **encode(order)._asdict()).get(timeout=30)
        all_done(cluster, tmp_path, 2)
        [letter] = shop("replay", "--exception", "StepNotAllowed", "--json").splitlines()
        assert json.loads(letter)["key"] == "O-1"
        shop("replay", "--send")
        now = all_done(cluster, tmp_path, 2)
    assert (now["dead_letters"], now["orders"]["paid"]) == ({"orders-dlt": 0}, 1)


def of_version_2(event, **changes):
    """Return an event as a later version of the shop writes it."""
    record = encode(event)
    fields = json.loads(record.value)
    fields["dataschema"] = fields["dataschema"].replace(".v1.", ".v2.")
    fields["data"]["voucher"] = "SUMMER"
    return record._replace(value=json.dumps({**fields, **changes}).encode())


def test_what_a_later_version_wrote_is_read_after_a_rollback(shop, cluster, tmp_path):
    """Version 2 has been deployed and taken back; its events are in the log, and nothing stops.

    A field that is new is left out; a type that is new is put aside for when version 2 comes back.
    """
    shop("publish", "--orders", "1")
    later = [
        of_version_2(OrderCreated("O-2", "C-00042", some_items())),
        of_version_2(OrderCancelled("O-2", "Later."), type="example.eventlab.order.paused"),
        encode(OrderCreated("O-3", "C-00042", some_items())),
    ]
    with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer:
        for record in later:
            producer.send("orders", **record._asdict()).get(timeout=30)
    with started(tmp_path, "subscribe"):
        assert all_done(cluster, tmp_path, 3)["dead_letters"] == {"orders-dlt": 1}
    [letter] = shop("replay", "--exception", "UnknownEventType", "--json").splitlines()
    assert json.loads(letter)["key"] == "O-2"
    assert records(cluster, "orders-dlt")[0].value == later[1].value  # as version 2 will need it


def ticked(cluster, folder):
    """Run a schedule for some ticks; return how many events it has published."""

    def written():
        return observe.partitions(cluster, "orders")["log_end_offset"].sum()

    with started(folder, "schedule", "--every", "0.02") as schedule:
        before = written()
        wait_until(lambda: written() >= before + 40, 30, "Nothing comes.")
    published = re.search(r"^Published (\d+) events, 0 failed", schedule.out.read_text())
    assert published
    return int(published[1])


def test_a_schedule_never_runs_out_of_news(shop, cluster, tmp_path):
    """Each of its events has an effect, and that of one that was started again; none is dead."""
    shop("status")  # the topics are there from now on
    with started(tmp_path, "subscribe"), Store(tmp_path / "shop.db") as store:
        count = ticked(cluster, tmp_path)
        count += ticked(cluster, tmp_path)
        wait_for(store, KNOWN + count)
        assert look(cluster.bootstrap_servers, store, "shop")["dead_letters"] == {}
    assert handled(store) == KNOWN + count


def ready(process):
    """Return code and body of /health/ready of a process that serves its metrics."""
    url = process.said("Metrics: ").replace("/metrics", "/health/ready")
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_ready_is_who_reaches_kafka_and_the_database(shop, cluster, tmp_path):
    """While all brokers are frozen, relay and subscriber live and are not ready; then they are."""
    well = (200, {"status": "pass", "sql": True, "kafka": True})
    away = (503, {"status": "fail", "sql": True, "kafka": False})
    with (
        started(tmp_path, "subscribe", "--metrics-port", "0") as subscriber,
        started(tmp_path, "relay", "--metrics-port", "0") as relay,
    ):
        both = (subscriber, relay)
        all_are = lambda state: all(ready(each) == state for each in both)  # noqa: E731
        wait_until(lambda: all_are(well), 30, lambda: f"{list(map(ready, both))}", every=0.2)
        for broker in cluster.brokers.values():
            broker.freeze()
        try:
            wait_until(lambda: all_are(away), 30, lambda: f"{list(map(ready, both))}", every=0.2)
            live = relay.said("Metrics: ").replace("/metrics", "/health/live")
            assert json.loads(get(live)) == {"status": "pass"}
        finally:
            for broker in cluster.brokers.values():
                broker.thaw()
        wait_until(lambda: all_are(well), 60, lambda: f"{list(map(ready, both))}", every=0.2)


class Terminal:
    """A terminal that a program writes to, and all that it has written."""

    def __enter__(self):
        self._ours, self.theirs = pty.openpty()
        self.text = ""
        self._reading = threading.Thread(target=self._read)
        self._reading.start()
        return self

    def _read(self):
        with contextlib.suppress(OSError):  # EIO: nobody has it open any more
            while some := os.read(self._ours, 65536):
                self.text += some.decode()

    def __exit__(self, *exc_info):
        os.close(self.theirs)
        self._reading.join(30)
        os.close(self._ours)


def test_a_demo_shows_the_orders_of_data_at_work(shop, cluster, tmp_path, monkeypatch):
    """It ends when all is in the tables; the last board has each order where the files have it.

    Of two orders one partition has none, and nothing that anybody could commit.
    """
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    chart = tmp_path / "lag.svg"
    arguments = ["--orders", "2", "--rate", "0", "--cluster", cluster.name, "--save", str(chart)]
    with Terminal() as terminal:
        done = subprocess.run(
            [*COMMAND, "demo", *arguments],
            stdout=terminal.theirs,
            stderr=subprocess.PIPE,
            text=True,
            timeout=Deadline(60).left,
        )
    assert done.returncode == 0, done.stderr
    board = terminal.text.rpartition("\x1b[J")[2].replace("\r", "")
    events = len(list(recorded(2)))
    assert f"{events:,} of {events:,} events" in board
    told = {
        s: int(n) for s, n in re.findall(r"^(\w+) +(\d+) orders$", board, re.MULTILINE) if n != "0"
    }
    assert told == Counter(str(order.status) for order in islice(read_orders(), 2))
    assert "member-" in board
    assert "http://127.0.0.1:" in terminal.text
    assert chart.stat().st_size > 1_000
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_demo_that_is_interrupted_leaves_nothing(name, tmp_path, monkeypatch):
    """Ctrl-C in the middle: its cluster, page, folder and token are gone, and it ends in order."""
    monkeypatch.delenv("EVENTLAB_SERVERS", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    demo = Process(tmp_path, "demo", "--cluster", name, "--orders", "5000")
    try:
        page = demo.said("Place orders yourself, and watch them: ")
        demo.said("2", within=60)  # 2,120 of so many events published
        assert registry.running(name)
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(Deadline(60).left) == 0, demo.err.read_text()
    finally:
        demo.process.kill()
        demo.process.wait()
    assert list((tmp_path / "tmp").iterdir()) == []
    wait_until(lambda: nothing_left(name), 15, "The cluster is left.")
    port = int(page.partition("/#")[0].rpartition(":")[2])
    assert not (environment.home() / "web" / f"{port}.token").exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("status", "--servers", "127.0.0.1:1"), "127.0.0.1:1"),
        (("replay", "--since", "yesterday"), "--since is no time."),
        (("subscribe", "--metrics-port", "99999"), "Metrics cannot be served there."),
        (("publish", "--orders", "-1"), "n "),
        (("demo", "--members", "0"), "--members cannot be this."),
        (("replay", "--topic", "nothing-here"), "does not exist"),
    ],
)
def test_what_cannot_be_is_refused(shop, arguments, said):
    """In three short sentences, and quickly."""
    assert said in shop(*arguments, code=1)


def test_without_a_cluster_it_says_what_to_type(shop, monkeypatch, tmp_path):
    """Neither --servers nor a cluster of this machine."""
    monkeypatch.delenv("EVENTLAB_SERVERS")
    monkeypatch.setenv("EVENTLAB_HOME", str(tmp_path / "home"))
    assert "eventlab up" in shop("status", code=1)
