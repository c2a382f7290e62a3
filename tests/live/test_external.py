"""A broker that somebody else runs: how it is met, or said why not, and what is left as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kafka import KafkaConsumer, KafkaProducer

from eventlab import environment, history, observe
from eventlab.cli import main
from eventlab.cluster.admin import Admin
from eventlab.cluster.external import External
from eventlab.errors import (
    AccessRefused,
    CertificateRefused,
    ClusterUnreachable,
    NotOurs,
    TopicMismatch,
    UnknownTopic,
)
from eventlab.orders.asyncapi import TOPICS
from eventlab.orders.processes import here
from eventlab.orders.processes.status import look
from eventlab.orders.store import Store
from eventlab.orders.subscriber import OrderSubscriber, replay
from eventlab.orders.web import OrderApi, serve
from tests.live.secured import PASSWORD, USER, Secured, login, secured
from tests.unit.leftovers import nothing_left
from tests.unit.refusals import refused

SHAPE = {"partitions": 2, "replication_factor": 1, "min_insync_replicas": 1, "configs": {}}
SAID = 5.0  # seconds


@pytest.fixture(scope="module")
def broker():
    """Return a broker with a listener for each way to talk to it, and for each mistake."""
    with secured() as broker:
        yield broker


@pytest.fixture
def cluster(broker: Secured):
    """Return the cluster, met with TLS and a password; what the test makes there goes."""
    found = External(broker.at("BOTH"), ways(broker)["BOTH"], prefix="test-")
    found.connect()
    yield found
    with admin_of(found) as admin:
        for topic in admin.ask(lambda client: client.list_topics(), "The list of topics"):
            if topic.startswith(found.prefix):
                found.delete_topic(admin, topic)


def ways(broker: Secured) -> dict[str, dict[str, object]]:
    """Return what each listener wants."""
    tls = broker.tls()
    return {
        "OPEN": {},
        "LOGIN": login("PLAIN"),
        "TLS": tls,
        "BOTH": login("SCRAM-SHA-512") | broker.tls(security_protocol="SASL_SSL"),
        "MUTUAL": tls | {"ssl_certfile": broker.file("client")},
        "SCRAM": login("SCRAM-SHA-256"),
        **dict.fromkeys(("EXPIRED", "OTHER", "STRANGE"), tls),
    }


@contextmanager
def admin_of(cluster: External) -> Iterator[Admin]:
    """Give the admin client of a cluster."""

    def serving() -> dict[int, str]:
        return {node["node_id"]: node["address"] for node in cluster.status()["nodes"]}

    security = {k: v for k, v in cluster.client_config.items() if k != "bootstrap_servers"}
    admin = Admin(serving, security)
    try:
        yield admin
    finally:
        admin.close()


@pytest.mark.parametrize("way", ["OPEN", "LOGIN", "SCRAM", "TLS", "BOTH", "MUTUAL"])
def test_a_cluster_is_met_in_each_way(broker, way):
    """Plaintext, SASL and TLS: its state has the shape of a cluster of ours."""
    listener = "LOGIN" if way == "SCRAM" else way
    with nothing_left():
        cluster = External(broker.at(listener), ways(broker)[way])
        state = cluster.connect()
        assert state == cluster.status()
    assert [node["state"] for node in state["nodes"]] == ["running"]
    assert state["nodes"][0]["address"] == broker.at(listener)
    assert len(state["cluster_id"]) == 22
    assert state["kafka_version"].startswith("4.")
    assert PASSWORD not in json.dumps(state)


def test_clients_observation_and_the_judge_are_let_in(cluster):
    """What was told once is what all of them take; the topic has the prefix."""
    with admin_of(cluster) as admin:
        cluster.create_topic(admin, "orders", SHAPE, fresh=False)
    topic, config = cluster.name_of("orders"), cluster.client_config
    run = history.record("secured", cluster)
    with nothing_left():
        with KafkaProducer(**config) as producer:
            run.producer(producer).send(topic, b"first").get(timeout=10)
        with KafkaConsumer(topic, **config, auto_offset_reset="earliest") as consumer:
            polled = run.consumer(consumer).poll(timeout_ms=10_000)
        assert [each.value for records in polled.values() for each in records] == [b"first"]
        assert list(observe.topics(config)["topic"]) == [topic]
        assert list(observe.records(config, topic)["value"]) == [b"first"]
        assert run.verify().outcome == "valid"
    assert topic == "test-orders"


def test_the_order_system_is_let_in(broker, monkeypatch, tmp_path, capsys):
    """As a command it finds in the environment how to talk to the brokers."""
    told = {
        "SERVERS": broker.at("BOTH"),
        "SECURITY_PROTOCOL": "SASL_SSL",
        "SASL_MECHANISM": "SCRAM-SHA-512",
        "SASL_USERNAME": USER,
        "SASL_PASSWORD": PASSWORD,
        "SSL_CAFILE": broker.file("ca"),
    }
    for name, value in told.items():
        monkeypatch.setenv(f"EVENTLAB_{name}", value)
    kafka = here.kafka(told["SERVERS"])
    assert main(["orders", "publish", "--orders", "20"]) == 0
    published = int(capsys.readouterr().out.split()[1])
    with Store(tmp_path / "shop.db") as store:
        names = sorted(TOPICS.values())
        with OrderSubscriber(group_id="shop", topics=names, store=store, **kafka) as shop:
            shop.run(lambda: shop.done + shop.dead >= published)
        found = look(kafka, store, "shop")
        api = OrderApi(store, **kafka)
        with serve(api):
            assert api.feed.ready.wait(10)
    assert set(found["lag"].values()) == {0}
    assert sum(found["orders"].values()) == 20
    assert len(replay(topic="orders", **kafka)) == 0


MISTAKES = [  # listener, security, error, what is said
    ("OPEN", "TLS", ClusterUnreachable, "speaks Kafka without TLS", "'PLAINTEXT'"),
    ("OPEN", "LOGIN", AccessRefused, "asks for no name and no password", "'PLAINTEXT'"),
    ("LOGIN", "OPEN", AccessRefused, "(PLAIN, SCRAM-SHA-256)", "'SASL_PLAINTEXT'"),
    ("LOGIN", "BOTH", ClusterUnreachable, "speaks Kafka without TLS", "'SASL_PLAINTEXT'"),
    ("TLS", "OPEN", ClusterUnreachable, "speaks TLS", "'SSL'"),
    ("TLS", "LOGIN", ClusterUnreachable, "speaks TLS", "'SASL_SSL'"),
    ("BOTH", "TLS", AccessRefused, "(SCRAM-SHA-512)", "'SASL_SSL'"),
    ("MUTUAL", "TLS", AccessRefused, "certificate required", "ssl_certfile"),
    ("EXPIRED", "TLS", CertificateRefused, "expired", "renewed"),
    ("OTHER", "TLS", CertificateRefused, "not valid for 'localhost'", "Give an address"),
    ("STRANGE", "TLS", CertificateRefused, "issuer", "ssl_cafile"),
    ("REFUSED", "OPEN", ClusterUnreachable, "advertises 127.0.0.1:9: nobody", "advertised.listen"),
    ("UNNAMED", "OPEN", ClusterUnreachable, "advertises kafka.invalid:9092", "advertised.listen"),
    ("SILENT", "OPEN", ClusterUnreachable, "said nothing in time", "advertised.listeners"),
]


@pytest.mark.parametrize(
    ("listener", "way", "kind", "seen", "fix"), MISTAKES, ids=lambda given: str(given)[:12]
)
def test_what_is_wrong_is_said(broker, listener, way, kind, seen, fix):
    """Items 23 and 79, within five seconds, with kafka-python's or Python's own error as cause."""
    with nothing_left():
        with refused(kind, broker.at(listener), seen, fix, within=SAID) as caught:
            External(broker.at(listener), ways(broker)[way]).connect()
        assert caught.value.__cause__ is not None
        del caught


WRONG = [
    ("LOGIN", login("PLAIN", "wrong"), "'ada'"),
    ("LOGIN", login("SCRAM-SHA-256", "wrong"), "'ada'"),
    ("LOGIN", login("PLAIN", user="eve"), "'eve'"),
    ("LOGIN", login("SCRAM-SHA-256", user="eve"), "'eve'"),
    ("LOGIN", login("SCRAM-SHA-512"), "it offers PLAIN, SCRAM-SHA-256"),
]


@pytest.mark.parametrize(("listener", "security", "seen"), WRONG)
def test_who_is_not_let_in_is_told_so(broker, listener, security, seen):
    """A wrong password, an unknown user, a mechanism that is not offered: at once, not for ever."""
    with nothing_left():
        with refused(AccessRefused, broker.at(listener), seen, within=2) as caught:
            External(broker.at(listener), security).connect()
        assert PASSWORD not in str(caught.value)
        assert "wrong" not in str(caught.value)
        del caught


def test_a_certificate_that_the_broker_does_not_know(broker):
    """Signed by somebody else: what the broker says of it is passed on."""
    security = broker.tls(ssl_certfile=broker.file("stranger"))
    with refused(AccessRefused, "ended TLS", "ssl_certfile", within=SAID):
        External(broker.at("MUTUAL"), security).connect()


def test_the_system_trusts_nobody_of_ours(broker):
    """Without ssl_cafile those count that the machine trusts."""
    with refused(CertificateRefused, "ssl_cafile", within=SAID):
        External(broker.at("TLS"), {"security_protocol": "SSL"}).connect()


def test_what_others_have_made_is_not_deleted(broker, cluster, monkeypatch, tmp_path):
    """Neither by name nor by fresh=True; another object of the same user is the same user."""
    other = External(broker.at("OPEN"), prefix="test-")
    other.connect()
    mine = environment.home()
    with admin_of(cluster) as admin:
        cluster.create_topic(admin, "orders", SHAPE, fresh=False)
        cluster.create_topic(admin, "orders", SHAPE, fresh=True)
        other.create_topic(admin, "orders", SHAPE, fresh=True)
        monkeypatch.setenv("EVENTLAB_HOME", str(tmp_path))  # somebody else, from here on
        other.create_topic(admin, "orders", SHAPE, fresh=False)
        for deed in (
            lambda: other.delete_topic(admin, "orders"),
            lambda: other.create_topic(admin, "orders", SHAPE, fresh=True),
        ):
            with refused(NotOurs, "test-orders", within=3):
                deed()
        with refused(TopicMismatch, "test-orders", within=3):
            other.create_topic(admin, "orders", SHAPE | {"partitions": 3}, fresh=False)
        monkeypatch.setenv("EVENTLAB_HOME", str(mine))
        cluster.delete_topic(admin, "orders")
        with refused(UnknownTopic, "test-orders", within=3):
            cluster.delete_topic(admin, "orders")
