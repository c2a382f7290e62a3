"""What is no cluster, or cannot be used: named within seconds, and nothing is left of the try."""

from __future__ import annotations

import getpass
import random
import socket
import sys
import threading

import pytest

from eventlab.cluster import external
from eventlab.cluster.external import External
from eventlab.errors import ClusterUnreachable, InvalidSetting
from tests.unit.cluster import strangers
from tests.unit.cluster.strangers import serving
from tests.unit.leftovers import nothing_left
from tests.unit.refusals import refused

LOGIN = {"sasl_mechanism": "PLAIN", "sasl_plain_username": "ada", "sasl_plain_password": "horse"}
PLAIN, TLS = {"security_protocol": "PLAINTEXT"}, {"security_protocol": "SSL"}
PROTOCOLS = [
    PLAIN,
    TLS,
    {"security_protocol": "SASL_PLAINTEXT", **LOGIN},
    {"security_protocol": "SASL_SSL", **LOGIN},
]
NOBODY = "127.0.0.1:9"
EACH = pytest.mark.parametrize("security", PROTOCOLS, ids=lambda each: each["security_protocol"])


def unreachable(address: str, security: dict[str, str], *seen: str, within: float = 5.0) -> None:
    """Check that a cluster cannot be reached: in time, with the cause, and nothing is left."""
    with nothing_left():
        with refused(ClusterUnreachable, address, *seen, within=within + 0.2) as caught:
            External(address, security).connect(within)
        assert "horse" not in str(caught.value)
        del caught  # its frames hold sockets


@EACH
@pytest.mark.parametrize(
    ("serve", "seen"),
    [
        (strangers.web, "is a web server"),
        (strangers.closing, "ends them at a greeting of Kafka's"),
        (strangers.says(b"220 mail.example.com ESMTP\r\n"), "does not speak Kafka: b'220 mail"),
        (strangers.says(b"\0\0\0\x08\0\0\0\x07abcd"), "does not speak Kafka"),
    ],
    ids=["HTTP", "closing", "SMTP", "another answer"],
)
def test_a_port_that_speaks_no_kafka_is_named(serve, seen, security):
    """Item 23: a web server, a mail server, whatever hangs up; with TLS and without."""
    with serving(serve) as address:
        unreachable(address, security, seen)


@EACH
def test_nobody_listens(security):
    """The commonest case takes no time at all."""
    unreachable(NOBODY, security, "Nobody listens at 127.0.0.1:9.", within=1)


@pytest.mark.parametrize("security", [PLAIN, TLS], ids=["plaintext", "TLS"])
def test_a_port_that_is_silent_is_given_up(security):
    """A frozen process, a firewall that answers for it: item 14, in the time that was given."""
    with serving(strangers.silent) as address:
        unreachable(address, security, "takes connections, and said nothing in time", within=2)


def test_an_answer_that_does_not_end_is_given_up():
    """The deadline is that of all of it, not that of each byte."""
    with serving(strangers.trickling) as address:
        unreachable(address, PLAIN, "does not speak Kafka", within=2)


@pytest.mark.skipif(sys.platform != "linux", reason="what a full queue does is Linux's own")
def test_a_host_that_does_not_answer_at_all_is_given_up():
    """A connection that is neither taken nor refused: a host that is off, a firewall that drops."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            address = f"127.0.0.1:{full.getsockname()[1]}"
            unreachable(address, PLAIN, "did not come about", "firewalls", within=2)


@pytest.mark.parametrize("host", ["kafka.invalid", "a..b", "x" * 70])
def test_a_name_that_is_none_is_named(host):
    """One that does not exist (RFC 2606), and two that cannot."""
    unreachable(f"{host}:9092", PLAIN, f"{host} is no name that this machine can resolve")


def test_a_resolver_that_does_not_answer_is_given_up(monkeypatch):
    """The system's own takes up to half a minute."""
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: answered.wait(30) and [])
    with nothing_left():
        with refused(ClusterUnreachable, "in time what kafka.example.com is", within=1.2):
            External("kafka.example.com:9092").connect(1)
        answered.set()


@pytest.mark.parametrize("security", [PLAIN, PROTOCOLS[2]], ids=["without", "with a login"])
def test_tls_where_plaintext_was_said(security, tmp_path):
    """What to set is said, with the login that was asked for."""
    _, serve = strangers.encrypted(tmp_path, strangers.silent)
    wanted = security["security_protocol"].replace("PLAINTEXT", "SSL")
    with serving(serve) as address:
        unreachable(address, security, "speaks TLS", f"'{wanted}'")


def test_a_web_server_with_tls_is_one(tmp_path):
    """TLS is not Kafka: the port of HTTPS."""
    ca, serve = strangers.encrypted(tmp_path, strangers.web)
    with serving(serve) as address:
        unreachable(address, TLS | {"ssl_cafile": ca}, "is a web server")


def test_of_several_addresses_the_one_that_came_farthest_is_told_of():
    """Two that are off say nothing of why the third is not used."""
    with serving(strangers.web) as address:
        unreachable(f"{NOBODY},{address},kafka.invalid:1", PLAIN, "is a web server")


def test_whatever_a_server_says_the_error_is_ours():
    """A hundred answers by chance, some of them well-formed frames."""
    dice = random.Random(6)
    for _ in range(100):
        text = dice.randbytes(dice.randrange(1, 60))
        frame = len(text).to_bytes(4, "big") + b"\0\0\0\x01" + text[4:]
        with (
            serving(strangers.says(dice.choice([text, frame]))) as address,
            pytest.raises(ClusterUnreachable),
        ):
            External(address).connect(1)


def test_a_cluster_without_brokers_is_named():
    """It answers, and has nobody to send its clients to."""
    with serving(strangers.broker("one")) as address:
        unreachable(address, PLAIN, "knows of none")


@pytest.mark.parametrize(
    ("host", "port", "seen"),
    [
        ("127.0.0.1", 9, "nobody listens at 127.0.0.1:9"),
        ("kafka.invalid", 9092, "kafka.invalid is no name that this machine can resolve"),
    ],
)
def test_an_advertised_address_that_cannot_be_reached_is_named(host, port, seen):
    """With the address that answered, and the setting of the broker that is to be changed."""
    with serving(strangers.broker("one", (7, host, port))) as address:
        unreachable(address, PLAIN, f"Broker 7 advertises {host}:{port}", seen, "advertised.listen")


def test_another_cluster_at_the_advertised_address_is_named():
    """`localhost` is advertised, and a cluster of one's own runs there: it would be written to."""
    with serving(strangers.broker("two", (1, "127.0.0.1", 0))) as other:
        port = int(other.rpartition(":")[2])
        with (
            serving(strangers.broker("one", (1, "127.0.0.1", port))) as address,
            refused(ClusterUnreachable, address, other, "another cluster answers"),
        ):
            External(address).connect()


def test_one_broker_of_two_is_enough():
    """The other one may be starting: it is warned of, and told to be silent."""
    told = (1, "127.0.0.1", 0), (2, "127.0.0.1", 9)
    with serving(strangers.broker("one", *told)) as address:
        cluster = External(address)
        with pytest.warns(UserWarning, match="Broker 2 advertises 127.0.0.1:9: nobody listens"):
            state = cluster.connect()
        assert state == cluster.status()
        keys = ("node_id", "role", "state", "pid", "address", "reachable")
        first, second = ([node[key] for key in keys] for node in state["nodes"])
        assert first == [1, "broker", "running", None, address, True]
        assert second == [2, "broker", "silent", None, NOBODY, False]
        assert (state["cluster_id"], state["backend"]) == ("one", "external")
    with nothing_left():
        after = cluster.status()
    assert [node["state"] for node in after["nodes"]] == ["silent", "silent"]


def test_what_cannot_be_is_refused_before_anybody_is_called():
    """Addresses, security and prefix."""
    for given in (("kafka",), (NOBODY, {"acks": "all"}), (NOBODY, None, "no blanks")):
        with refused(InvalidSetting):
            External(*given)
    for prefix in ("a" * 101, 5, "ä-"):
        with refused(InvalidSetting, "prefix"):
            External(NOBODY, prefix=prefix)


def test_names_begin_with_the_prefix():
    """Twice is the same as once: what a list of topics shows can be used as it is."""
    cluster = External(NOBODY, prefix="eventlab-ada-")
    assert cluster.name_of("orders") == "eventlab-ada-orders"
    assert cluster.name_of("eventlab-ada-orders") == "eventlab-ada-orders"
    assert External(NOBODY, prefix="").name_of("orders") == "orders"


def test_the_environment_tells_a_prefix(monkeypatch):
    """A class has one for each learner; who is alone on a cluster needs none."""
    monkeypatch.setenv("EVENTLAB_PREFIX", "group-7-")
    assert External(NOBODY).prefix == "group-7-"
    monkeypatch.setenv("EVENTLAB_PREFIX", "none")
    assert External(NOBODY).prefix == ""


@pytest.mark.parametrize(
    ("user", "prefix"), [("ada", "eventlab-ada-"), ("CORP\\Ada Ä", "eventlab-CORP-Ada---")]
)
def test_the_prefix_is_the_users(user, prefix, monkeypatch):
    """In letters that Kafka takes."""
    monkeypatch.delenv("JUPYTERHUB_USER", raising=False)
    monkeypatch.setattr(getpass, "getuser", lambda: user)
    assert External(NOBODY).prefix == prefix


def test_on_a_hub_the_prefix_is_that_of_the_hubs_user(monkeypatch):
    """In the containers of a class everybody is `learner`, and all would share their topics."""
    monkeypatch.setattr(getpass, "getuser", lambda: "learner")
    monkeypatch.setenv("JUPYTERHUB_USER", "grace@example.com")
    assert External(NOBODY).prefix == "eventlab-grace-example.com-"


def test_a_user_without_a_name_has_a_prefix_too(monkeypatch):
    """A container may run under a number that no file knows."""

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.delenv("JUPYTERHUB_USER", raising=False)
    monkeypatch.setattr(getpass, "getuser", nobody)
    assert external.default_prefix().startswith("eventlab-u")
