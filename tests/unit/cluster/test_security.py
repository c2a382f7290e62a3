"""How to talk to a cluster: what cannot work is refused at once, and no password is shown."""

from __future__ import annotations

import os
import pprint
from pathlib import Path

import pytest
import trustme
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from eventlab import environment
from eventlab.cluster import security
from eventlab.errors import InvalidSetting
from tests.unit.refusals import as_ordinary_user, refused

PASSWORD = "correct horse"
LOGIN = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "ada",
    "sasl_plain_password": PASSWORD,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return PEM files by name: a CA, a certificate, its key, the key of another one, no PEM."""
    folder, ca = tmp_path_factory.mktemp("pem"), trustme.CA()
    one, other = ca.issue_cert("ada"), ca.issue_cert("eve")
    ca.cert_pem.write_to_path(folder / "ca")
    one.cert_chain_pems[0].write_to_path(folder / "certificate")
    one.private_key_pem.write_to_path(folder / "key")
    other.private_key_pem.write_to_path(folder / "other-key")
    (folder / "none").write_text("no certificate")
    return {path.name: str(path) for path in folder.iterdir()}


def without(name: str) -> dict[str, str]:
    """Return the login without one of its settings."""
    return {key: value for key, value in LOGIN.items() if key != name}


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"sasl_password": "x"}, "Did you mean 'sasl_plain_password'?"),
        ({"sasl.mechanisms": "PLAIN"}, "Did you mean 'sasl_mechanism'?"),
        ({"acks": "all"}, "There are security_protocol,"),
        ({5: "x"}, "5"),
        ({"security_protocol": "sasl_ssl"}, "PLAINTEXT or SSL or SASL_PLAINTEXT or SASL_SSL"),
        ({"security_protocol": None}, "None"),
        ({"sasl_mechanism": "PLAIN"}, "Set security_protocol to 'SASL_SSL'"),
        ({"ssl_cafile": "ca.pem"}, "Set security_protocol to 'SSL'"),
        (LOGIN | {"ssl_check_hostname": True}, "Set security_protocol to 'SASL_SSL'"),
        (LOGIN | {"sasl_mechanism": "GSSAPI"}, "PLAIN or SCRAM-SHA-256 or SCRAM-SHA-512"),
        (LOGIN | {"sasl_plain_username": ""}, "EVENTLAB_SASL_USERNAME"),
        (without("sasl_mechanism"), "EVENTLAB_SASL_MECHANISM"),
        (without("sasl_plain_username"), "EVENTLAB_SASL_USERNAME"),
        (without("sasl_plain_password"), "EVENTLAB_SASL_PASSWORD"),
        ({"security_protocol": "SSL", "ssl_check_hostname": "no"}, "Use True or False"),
        ("SASL_SSL", "type str"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused(given, seen):
    """Item 34: kafka-python would try it until its time is over, or not at all."""
    with refused(InvalidSetting, seen):
        security.check(given)


@pytest.mark.parametrize(
    "given",
    [
        {"sasl_plain_password": PASSWORD},
        LOGIN | {"sasl_plain_password": PASSWORD.encode()},
        LOGIN | {"sasl_mechanism": "GSSAPI"},
        LOGIN | {"sasl_plain_pasword": PASSWORD},
        PASSWORD,
        [PASSWORD],
    ],
    ids=range(6),
)
def test_no_refusal_shows_a_password(given):
    """Whatever is wrong with it, or with what stands beside it: messages get into notebooks."""
    with refused(InvalidSetting) as caught:
        security.check(given)
    assert "horse" not in repr(caught.value)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"ssl_cafile": "none"}, "ssl_cafile"),
        ({"ssl_certfile": "none"}, "ssl_certfile"),
        ({"ssl_certfile": "certificate", "ssl_keyfile": "other-key"}, "ssl_keyfile"),
        ({"ssl_keyfile": "key"}, "ssl_certfile"),
    ],
    ids=str,
)
def test_files_that_are_not_what_they_should_be_are_refused(given, named, files):
    """No certificate, somebody else's key, a key alone."""
    told = {name: files[file] for name, file in given.items()}
    with refused(InvalidSetting, named):
        security.check({"security_protocol": "SSL", **told})


def test_a_file_that_is_missing_a_folder_or_not_ours_is_refused(files, tmp_path):
    """With what the system says of it."""
    closed = tmp_path / "closed.pem"
    closed.touch(0o000)
    for file, seen in ((tmp_path / "no.pem", "No such file"), (tmp_path, "Is a directory")):
        with refused(InvalidSetting, "ssl_cafile", str(file)[:50], seen):
            security.check({"security_protocol": "SSL", "ssl_cafile": str(file)})
    with refused(InvalidSetting, "denied"):
        as_ordinary_user(
            lambda: security.check({"security_protocol": "SSL", "ssl_cafile": str(closed)})
        )


def test_a_key_with_a_password_does_not_ask_for_it_in_the_terminal(files, tmp_path):
    """OpenSSL would wait for somebody who types, behind a notebook."""
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(Path(files["key"]).read_bytes(), None)
    closed = tmp_path / "key.pem"
    sealed = form.BestAvailableEncryption(PASSWORD.encode())
    closed.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, sealed))
    own = {"ssl_certfile": files["certificate"], "ssl_keyfile": str(closed)}
    for given in (own, own | {"ssl_password": "battery"}):
        with refused(InvalidSetting, "ssl_password"):
            security.check({"security_protocol": "SSL", **given})
    security.check({"security_protocol": "SSL", **own, "ssl_password": PASSWORD})


def test_clients_take_what_was_checked(files):
    """Its words are kafka-python's own."""
    own = {"ssl_cafile": files["ca"], "ssl_certfile": files["certificate"]}
    told = security.client_config(
        "kafka:9092", LOGIN | own | {"security_protocol": "SASL_SSL", "ssl_keyfile": files["key"]}
    )
    assert told["bootstrap_servers"] == "kafka:9092"
    assert told["sasl_plain_password"] == PASSWORD
    for kind in (KafkaAdminClient, KafkaConsumer, KafkaProducer):
        assert set(told) <= set(kind.DEFAULT_CONFIG)
    assert set(security.KNOWN) <= set(KafkaProducer.DEFAULT_CONFIG)
    assert security.client_config(["a:1", "b:2"]) == {
        "bootstrap_servers": "a:1,b:2",
        "security_protocol": "PLAINTEXT",
    }


def test_settings_do_not_show_their_passwords():
    """The last line of a cell shows a value by its repr."""
    told = security.client_config("kafka:9092", LOGIN)
    for text in (repr(told), str(told), f"{told}", pprint.pformat(told), repr([told])):
        assert "horse" not in text
        assert "'sasl_plain_username': 'ada'" in text


def test_the_environment_tells_it_all(monkeypatch, files, tmp_path):
    """Each setting has its variable; a mounted secret is a file with one line."""
    told = {
        "SECURITY_PROTOCOL": "SASL_SSL",
        "SASL_MECHANISM": "SCRAM-SHA-512",
        "SASL_USERNAME": "ada",
        "SSL_CAFILE": files["ca"],
        "SSL_CERTFILE": files["certificate"],
        "SSL_KEYFILE": files["key"],
        "SSL_CHECK_HOSTNAME": "false",
    }
    for name, value in told.items():
        monkeypatch.setenv(f"EVENTLAB_{name}", value)
    secret = tmp_path / "password"
    secret.write_text(f" {PASSWORD} \n")
    monkeypatch.setenv("EVENTLAB_SASL_PASSWORD_FILE", str(secret))
    found = security.check(security.from_environment())
    assert found["sasl_plain_password"] == f" {PASSWORD} "
    assert found["ssl_check_hostname"] is False
    assert len(found) == len(told) + 1
    assert {f"EVENTLAB_{name}" for name in told} < set(environment.KNOWN)


def test_without_variables_it_is_plaintext(monkeypatch):
    """An empty one counts as unset."""
    monkeypatch.setenv("EVENTLAB_SASL_PASSWORD", "")
    assert security.from_environment() == {}
    assert security.check(None) == {"security_protocol": "PLAINTEXT"}


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        ({"SASL_PASSWORD": PASSWORD, "SASL_PASSWORD_FILE": "x"}, "Unset one of them"),
        ({"SASL_PASSWORD_FILE": "no-such-file"}, "No such file"),
        ({"SASL_PASSWORD_FILE": os.devnull + "/x"}, "Not a directory"),
        ({"SSL_CHECK_HOSTNAME": "yes"}, "true or false"),
    ],
    ids=str,
)
def test_variables_that_cannot_be_are_refused(told, seen, monkeypatch):
    """Each is named, and a password is not."""
    for name, value in told.items():
        monkeypatch.setenv(f"EVENTLAB_{name}", value)
    with refused(InvalidSetting, seen) as caught:
        security.from_environment()
    assert "horse" not in str(caught.value)
