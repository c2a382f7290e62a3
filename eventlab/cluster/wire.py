"""One conversation with one broker, step by step, with one deadline for all of it.

kafka-python's clients try again until their time is over, and then say that it is over. Here the
step at which it ended is known: its protocol is spoken over a plain socket.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Mapping
from typing import Any

from kafka import errors
from kafka.net.sasl import get_sasl_mechanism
from kafka.protocol.broker_version_data import BrokerVersionData
from kafka.protocol.metadata import ApiVersionsRequest
from kafka.protocol.parser import KafkaProtocol
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

from eventlab.cluster import addresses, clients, security, tls
from eventlab.waiting import Deadline

CLIENT_ID = "eventlab"
# What a call may fail with; the last two when the other side speaks something like Kafka.
FAILURES = (OSError, errors.KafkaError, ValueError, struct.error)
NAME, CONNECTION, TLS, GREETING, LOGIN, QUESTION = range(6)  # the steps, in their order


class Closed(ConnectionError):
    """The other side ended the connection instead of an answer."""


class Wire:
    """A connection to the broker at `address`, opened by `open`; whoever makes it closes it.

    When something fails, `step` tells how far it came; `heard` with what the other side began,
    `secured` whether it speaks TLS, `versions` what it understands, `mechanisms` how to log in.
    """

    def __init__(self, address: str, settings: Mapping[str, Any], deadline: Deadline) -> None:
        self.address, self.settings, self.deadline = address, settings, deadline
        self.step = NAME
        self.heard = b""
        self.secured = False
        self.versions: Any = None
        self.mechanisms: list[str] = []
        self._protocol = KafkaProtocol(client_id=CLIENT_ID)
        self._socket: socket.socket | None = None

    @property
    def protocol(self) -> str:
        """The security protocol that is spoken."""
        return str(self.settings["security_protocol"])

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()

    def open(self) -> None:
        """Connect, speak TLS, greet and log in, as the settings say."""
        clients.quiet()
        self.connect()
        if security.uses_tls(self.settings):
            self.secure(tls.context(self.settings))
        self.greet()
        if security.uses_login(self.settings):
            self.log_in()
        self.step = QUESTION

    def connect(self) -> None:
        """Look the name up, and connect to the first of its addresses that answers."""
        host, port = addresses.split(self.address)
        found = _resolved(host, port, self.deadline)
        self.step = CONNECTION
        for family, kind, protocol, _, where in found:
            self.close()
            self._socket = socket.socket(family, kind, protocol)
            try:
                self._in_time().connect(where)
                return
            except OSError as error:
                failed = error
        raise failed

    def secure(self, context: ssl.SSLContext) -> None:
        """Speak TLS from here on."""
        self.step = TLS
        host, _ = addresses.split(self.address)
        plain = self._in_time()
        self._socket = context.wrap_socket(
            plain, server_hostname=host, do_handshake_on_connect=False
        )
        self._in_time()
        self._socket.do_handshake()
        self.secured = True

    def greet(self) -> None:
        """Ask what the broker understands: every Kafka since 0.10 answers to anybody (KIP-35)."""
        self.step = GREETING
        answer = self._sent(_greeting(ApiVersionsRequest.max_version))
        if answer.error_code:  # one that is older than this client
            answer = self._sent(_greeting(0))
        told = {each.api_key: (each.min_version, each.max_version) for each in answer.api_keys}
        self.versions = BrokerVersionData(api_versions=told)

    def choose(self, mechanism: str) -> None:
        """Say how to log in; UnsupportedSaslMechanismError when it cannot be done so (KIP-43)."""
        told = self.ask(SaslHandshakeRequest(mechanism=mechanism, min_version=1, max_version=1))
        self.mechanisms = list(told.mechanisms)
        _check(told)

    def log_in(self) -> None:
        """Say who is there (KIP-152)."""
        self.step = LOGIN
        self.choose(self.settings["sasl_mechanism"])
        host, _ = addresses.split(self.address)
        mechanism = get_sasl_mechanism(self.settings["sasl_mechanism"])(host=host, **self.settings)
        while not mechanism.is_done():
            answer = self.ask(SaslAuthenticateRequest(mechanism.auth_bytes()))
            _check(answer)
            mechanism.receive(answer.auth_bytes)

    def ask(self, request: Any) -> Any:
        """Return the answer; IncompatibleBrokerVersion when the broker cannot be asked this."""
        request.API_VERSION = self.versions.api_version(request)
        return self._sent(request)

    def _sent(self, request: Any) -> Any:
        self._protocol.send_request(request)
        self._in_time().sendall(self._protocol.send_bytes())
        answers: list[Any] = []
        while not answers:
            data = self._in_time().recv(65536)
            self.heard = self.heard or data[:16]
            if not data:
                raise Closed("the connection was closed")
            answers = self._protocol.receive_bytes(data)
        return answers[0][1]

    def _in_time(self) -> Any:
        """Return the socket, which waits no longer than the deadline."""
        if not self.deadline.left:
            raise TimeoutError
        assert self._socket
        self._socket.settimeout(self.deadline.left)
        return self._socket


def _greeting(version: int) -> Any:
    return ApiVersionsRequest(
        version=version, client_software_name=CLIENT_ID, client_software_version="1"
    )


def _check(answer: Any) -> None:
    if answer.error_code:
        raise errors.for_code(answer.error_code)(getattr(answer, "error_message", None) or "")


def _resolved(host: str, port: int, deadline: Deadline) -> list[Any]:
    """Return the addresses of a host: in a thread, since the system's resolver has no deadline."""
    found: list[Any] = []
    failed: list[OSError] = []

    def look() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            failed.append(error)
        except UnicodeError:  # no name of the DNS: a label that is empty or too long
            failed.append(socket.gaierror(socket.EAI_NONAME, "it is no name of a host"))

    thread = threading.Thread(target=look, name="eventlab-resolve", daemon=True)
    thread.start()
    thread.join(deadline.left)
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError
    return found
