"""Brokers that somebody else runs: TLS, passwords, and listeners that advertise nonsense.

JVMs of their own, without a supervisor, in a folder that goes with them; certificates made anew.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives import serialization
from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from eventlab.cluster import jars, java, jvm, nodes, prepare, process, properties, ready, storage
from eventlab.cluster.clients import connected
from eventlab.cluster.settings import Settings
from eventlab.waiting import wait_until

USER, PASSWORD = "ada", "correct horse, battery; staple"
_MODULE = "org.apache.kafka.common.security.{}LoginModule required"


@dataclass(frozen=True)
class Listener:
    """A listener: how it is spoken to, what it advertises, which certificate it has."""

    protocol: str
    mechanisms: tuple[str, ...] = ()
    advertised: str = ""
    certificate: str = "good"
    client_auth: str = "none"


LISTENERS = {
    "OPEN": Listener("PLAINTEXT"),
    "LOGIN": Listener("SASL_PLAINTEXT", ("PLAIN", "SCRAM-SHA-256")),
    "TLS": Listener("SSL"),
    "BOTH": Listener("SASL_SSL", ("SCRAM-SHA-512",)),
    "MUTUAL": Listener("SSL", client_auth="required"),
    "EXPIRED": Listener("SSL", certificate="expired"),
    "OTHER": Listener("SSL", certificate="other"),
    "STRANGE": Listener("SSL", certificate="strange"),
    "REFUSED": Listener("PLAINTEXT", advertised="127.0.0.1:9"),
    "UNNAMED": Listener("PLAINTEXT", advertised="kafka.invalid:9092"),  # RFC 2606: no such name
    "SILENT": Listener("PLAINTEXT"),  # advertises a port that takes connections, and says nothing
}


@dataclass(frozen=True)
class Secured:
    """The brokers: the ports of the listeners of each, and the files that clients need."""

    ports: Sequence[Mapping[str, int]]
    folder: Path

    def at(self, listener: str) -> str:
        """Return the addresses of a listener."""
        return ",".join(f"localhost:{ports[listener]}" for ports in self.ports)

    def file(self, name: str) -> str:
        """Return the path of a PEM file: ca, client, client-key, stranger."""
        return str(self.folder / f"{name}.pem")

    def tls(self, **more: Any) -> dict[str, Any]:
        """Return the security of a client that trusts who signed the certificates."""
        return {"security_protocol": "SSL", "ssl_cafile": self.file("ca"), **more}


def login(mechanism: str, password: str = PASSWORD, user: str = USER) -> dict[str, Any]:
    """Return the security of a client that logs in without TLS."""
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": user,
        "sasl_plain_password": password,
    }


@contextmanager
def secured(brokers: int = 1) -> Iterator[Secured]:
    """Run one broker, or three; they end with the block, or with this process."""
    with (
        tempfile.TemporaryDirectory(prefix="eventlab-secured-") as name,
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        folder = Path(name)
        _write_certificates(folder)
        ports = _write_nodes(folder, brokers, f"127.0.0.1:{silent.getsockname()[1]}")
        runtime, kafka = java.find(), jars.find()
        command = jvm.command(runtime, kafka, "128m", prepare.prepared(runtime, kafka).cache)
        running = [process.spawn(command, node, jvm.environ()) for node in _nodes(folder)]
        try:
            found = Secured(ports, folder)
            doors = [port for each in ports for port in each.values()]
            ended = lambda: [each for each in running if each.poll() is not None]  # noqa: E731
            up = lambda: ended() or all(map(ready.accepts, doors))  # noqa: E731
            wait_until(up, 60, "The secured brokers did not start.")
            assert not ended(), (_nodes(folder)[0] / process.LOG).read_text()
            _add_user(found)
            yield found
        finally:
            for each in running:
                each.kill()
                each.wait()


def _nodes(folder: Path) -> list[Path]:
    return sorted(folder.glob("node-*"))


def _write_nodes(folder: Path, brokers: int, silent: str) -> list[dict[str, int]]:
    """Write the properties of the brokers, format their data; return the ports of each."""
    profile = Settings(profile="small") if brokers == 1 else Settings(topology="combined")
    settings = replace(profile, brokers=brokers).resolved()
    laid = [nodes.without_proxies(node) for node in nodes.layout(settings)]
    taken = {at.port for node in laid for at in node.listeners}
    free = (port for port in nodes.free_ports(settings) if port not in taken)
    made, cluster_id = [], storage.random_id()
    checkpoint = prepare.prepared(java.find(), jars.find()).checkpoint
    for node in laid:
        place = folder / f"node-{node.node_id}"
        place.mkdir()
        ports = dict(zip(LISTENERS, free, strict=False))
        text = properties.render(node, laid, settings, str(place / "data"))
        lines = _listeners(node, ports, silent) | _login_modules() | _stores(folder)
        more = "".join(f"{key}={properties.escape(value)}\n" for key, value in lines.items())
        (place / "server.properties").write_text(text + more, "ascii")
        storage.format_node(place / "data", cluster_id, node.node_id, checkpoint)
        made.append(ports)
    return made


def _listeners(node: nodes.Node, ports: Mapping[str, int], silent: str) -> dict[str, str]:
    """Return the listeners of the node, with those of the test beside them."""
    own = {at.name: f"127.0.0.1:{at.port}" for at in node.listeners}
    bound = own | {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    told = own | {name: f"localhost:{port}" for name, port in ports.items()}
    told |= {name: at.advertised for name, at in LISTENERS.items() if at.advertised}
    told["SILENT"] = silent
    protocols = dict.fromkeys(own, "PLAINTEXT") | {n: at.protocol for n, at in LISTENERS.items()}
    return {
        "listeners": ",".join(f"{name}://{at}" for name, at in bound.items()),
        "advertised.listeners": ",".join(f"{name}://{at}" for name, at in told.items()),
        "listener.security.protocol.map": ",".join(f"{n}:{p}" for n, p in protocols.items()),
    }


def _login_modules() -> dict[str, str]:
    lines = {}
    for name, listener in LISTENERS.items():
        prefix = f"listener.name.{name.lower()}"
        if listener.mechanisms:
            lines[f"{prefix}.sasl.enabled.mechanisms"] = ",".join(listener.mechanisms)
        for mechanism in listener.mechanisms:
            known = f' user_{USER}="{PASSWORD}"' if mechanism == "PLAIN" else ""
            module = _MODULE.format("plain.Plain" if known else "scram.Scram")
            lines[f"{prefix}.{mechanism.lower()}.sasl.jaas.config"] = f"{module}{known};"
    return lines


def _stores(folder: Path) -> dict[str, str]:
    lines = {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(folder / "ca.pem")}
    for name, listener in LISTENERS.items():
        if listener.protocol.endswith("SSL"):
            prefix = f"listener.name.{name.lower()}.ssl"
            lines[f"{prefix}.keystore.type"] = "PEM"
            lines[f"{prefix}.keystore.location"] = str(folder / f"{listener.certificate}.pem")
            lines[f"{prefix}.client.auth"] = listener.client_auth
    return lines


def _write_certificates(folder: Path) -> None:
    ca, stranger = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    now, day = datetime.now(UTC), timedelta(days=1)
    made = {
        "good": ca.issue_cert("localhost"),
        "other": ca.issue_cert("kafka.example.com"),
        "expired": ca.issue_cert("localhost", not_before=now - 2 * day, not_after=now - day),
        "strange": stranger.issue_cert("localhost"),
        "client": ca.issue_cert("ada@example.com"),
        "stranger": stranger.issue_cert("eve@example.com"),
    }
    for name, certificate in made.items():
        _write_pem(folder / f"{name}.pem", certificate)


def _write_pem(file: Path, certificate: trustme.LeafCert) -> None:
    """Write the key, in the only form that Kafka reads, and the certificates, in one file."""
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(text + b"".join(pem.bytes() for pem in certificate.cert_chain_pems))


def _add_user(broker: Secured) -> None:
    """Give the user a password by SCRAM; return when the broker knows it."""
    admin = connected(KafkaAdminClient, bootstrap_servers=broker.at("OPEN"))
    try:
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            asked = [UserScramCredentialUpsertion(USER, mechanism, PASSWORD)]
            assert admin.alter_user_scram_credentials(asked) == {USER: None}
        both = lambda: len(_credentials(admin)) == 2  # noqa: E731
        wait_until(both, 10, "The passwords are not known.")
    finally:
        admin.close()


def _credentials(admin: Any) -> list[Any]:
    told = admin.describe_user_scram_credentials([USER])
    return list(told.get(USER, {}).get("credential_infos", []))
