"""The order system as processes: started as people start them, asked as operators ask them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaProducer

from eventlab import observe
from eventlab.errors import UnknownTopic
from eventlab.orders import OrderCreated, encode, views
from eventlab.orders.asyncapi import TOPICS
from eventlab.orders.processes.sample import happenings
from eventlab.orders.processes.status import look
from eventlab.orders.store import Store
from eventlab.waiting import Deadline, wait_until

COMMAND = [sys.executable, "-m", "eventlab", "orders"]


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

    def said(self, start):
        """Wait for a line on stdout that begins so; return the rest of it."""

        def line():
            assert self.process.poll() is None, self.err.read_text()
            lines = self.out.read_text().splitlines()
            return next((line for line in lines if line.startswith(start)), None)

        return wait_until(line, 30, f"{start} was not said.").removeprefix(start)


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
    assert ready == {"status": "pass", "sql": True}
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
    """An order of nobody is dead; once its customer is known it is replayed, and in the tables."""
    early = OrderCreated("O-1", "C-00042", some_items())
    shop("replay", "--topic", "orders", "--json")  # the topics of the shop are there from now on
    with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer:
        producer.send("orders", **encode(early)._asdict()).get(timeout=30)
    with started(tmp_path, "subscribe"):
        assert all_done(cluster, tmp_path, 0)["dead_letters"] == {"orders-dlt": 1}
        shop("publish", "--orders", "1")
        all_done(cluster, tmp_path, 1)
        [letter] = shop("replay", "--exception", "NotYet", "--json").splitlines()
        assert json.loads(letter)["key"] == "O-1"
        shop("replay", "--send")
        assert all_done(cluster, tmp_path, 2)["dead_letters"] == {"orders-dlt": 0}


def test_what_a_later_version_wrote_is_read_after_a_rollback(shop, cluster, tmp_path):
    """Version 2 has been deployed and taken back; its events are in the log, and nothing stops."""
    shop("publish", "--orders", "1")
    record = encode(OrderCreated("O-2", "C-00042", some_items()))
    fields = json.loads(record.value)
    fields["dataschema"] = fields["dataschema"].replace(".v1.", ".v2.")
    fields["data"]["voucher"] = "SUMMER"
    later = record._replace(value=json.dumps(fields).encode())
    with KafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer:
        producer.send("orders", **later._asdict()).get(timeout=30)
    with started(tmp_path, "subscribe"):
        assert all_done(cluster, tmp_path, 2)["dead_letters"] == {}


def test_a_schedule_publishes_until_it_is_asked_to_end(shop, cluster, tmp_path):
    """One event a tick."""
    with started(tmp_path, "schedule", "--every", "0.1") as schedule:

        def three():
            found = observe.topics(cluster).set_index("topic")
            return (
                "orders" in found.index
                and observe.partitions(cluster, "orders")["log_end_offset"].sum() >= 3
            )

        wait_until(three, 30, "Nothing comes.")
    assert " 0 failed" in schedule.out.read_text()


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
