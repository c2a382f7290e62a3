"""Why a conversation with a broker ended: what is seen, and what to set or to ask for.

The step at which it ended tells most. Where it does not, the other side is called again in another
way: what speaks TLS is asked for in plaintext more often than anything else goes wrong.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from kafka import errors as kafka

from eventlab.cluster import addresses, security, tls, wire
from eventlab.cluster.wire import FAILURES, Closed, Wire
from eventlab.errors import (
    AccessRefused,
    CertificateRefused,
    ClusterUnreachable,
    EventlabError,
    shown,
)
from eventlab.waiting import Deadline

AGAIN = 1.0  # seconds for a second call
_EXPIRED, _NOT_YET, _WRONG_HOST, _WRONG_IP = 10, 9, 62, 64  # X509_V_ERR_..., of OpenSSL
_ALERT = b"\x15\x03"  # how a TLS server says that this was no TLS
_PLAIN = {"security_protocol": "PLAINTEXT"}
_ELSEWHERE = "Give the address of a listener of a Kafka broker."


class Diagnosis(NamedTuple):
    """The kind of error, and its second and third sentence."""

    kind: type[EventlabError]
    seen: str
    fix: str


def of(call: Wire, error: Exception) -> Diagnosis:
    """Return why a call ended with this error."""
    ways: dict[int, Callable[[Wire, Exception], Diagnosis]] = {
        wire.NAME: _name,
        wire.CONNECTION: _connection,
        wire.TLS: _tls,
        wire.GREETING: _greeting,
        wire.LOGIN: _login,
        wire.QUESTION: _question,
    }
    return ways[call.step](call, error)


def _name(call: Wire, error: Exception) -> Diagnosis:
    host, _ = addresses.split(call.address)
    if isinstance(error, socket.gaierror):
        seen = f"{host} is no name that this machine can resolve."
    else:
        seen = f"Nobody has told this machine in time what {host} is."
    fix = "Check how it is spelled, or make it known to this machine: in the DNS, in /etc/hosts."
    return Diagnosis(ClusterUnreachable, seen, fix)


def _connection(call: Wire, error: Exception) -> Diagnosis:
    if isinstance(error, ConnectionRefusedError):
        seen = f"Nobody listens at {call.address}."
        fix = "Start the cluster, or give the address of one that runs."
    else:
        why = getattr(error, "strerror", None) or "nobody answers there"
        seen = f"The connection to {call.address} did not come about: {why}."
        fix = "Check the address, and the VPN and the firewalls on the way."
    return Diagnosis(ClusterUnreachable, seen, fix)


def _tls(call: Wire, error: Exception) -> Diagnosis:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(call, error)
    other = _again(call, _PLAIN, Wire.connect, Wire.greet)
    if other.versions is not None:
        plain = call.protocol.replace("SSL", "PLAINTEXT")
        return Diagnosis(
            ClusterUnreachable,
            f"{call.address} speaks Kafka without TLS.",
            f"Set security_protocol to {plain!r}, or give the address of a listener with TLS.",
        )
    # Whoever hangs up in the handshake is an end of file for a new Python, zero for 3.11.2.
    hung_up = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    if isinstance(error, ssl.SSLError) and not hung_up and not other.heard:
        return _alert(call, error)
    return _no_kafka(other, error)


def _certificate(call: Wire, error: ssl.SSLCertVerificationError) -> Diagnosis:
    code, why = error.verify_code, error.verify_message.rstrip(".")
    if code in (_EXPIRED, _NOT_YET):
        fix = "Let it be renewed by whoever runs the cluster, and check the clock of this machine."
    elif code in (_WRONG_HOST, _WRONG_IP):
        fix = "Give an address with a name that the certificate has."
    else:
        fix = "Set ssl_cafile to the PEM file of whoever signed it; ask those who run the cluster."
    seen = f"The certificate of {call.address} is refused: {why}."
    return Diagnosis(CertificateRefused, seen, fix)


def _alert(call: Wire, error: ssl.SSLError) -> Diagnosis:
    """Read what a TLS server did not like: most often it wants a certificate of ours."""
    why = (error.reason or str(error)).lower().replace("_", " ")
    return Diagnosis(
        AccessRefused,
        f"{call.address} ended TLS: {why}.",
        "Set ssl_certfile and ssl_keyfile to a certificate that the brokers trust.",
    )


def _greeting(call: Wire, error: Exception) -> Diagnosis:
    if isinstance(error, ssl.SSLError):
        return _alert(call, error)
    if not security.uses_tls(call.settings) and _speaks_tls(call):
        return Diagnosis(
            ClusterUnreachable,
            f"{call.address} speaks TLS.",
            f"Set security_protocol to {call.protocol.replace('PLAINTEXT', 'SSL')!r}.",
        )
    return _no_kafka(call, error)


def _no_kafka(call: Wire, error: Exception) -> Diagnosis:
    """Say what was heard of somebody who does not speak Kafka."""
    if call.heard.startswith(b"HTTP/"):
        seen = f"{call.address} is a web server: it answers in HTTP."
    elif call.heard:
        seen = f"What answers at {call.address} does not speak Kafka: {shown(call.heard)}."
    elif isinstance(error, TimeoutError):
        seen = f"{call.address} takes connections, and said nothing in time."
    else:
        seen = f"{call.address} takes connections, and ends them at a greeting of Kafka's."
    return Diagnosis(ClusterUnreachable, seen, _ELSEWHERE)


def _login(call: Wire, error: Exception) -> Diagnosis:
    name = call.settings["sasl_mechanism"]
    if isinstance(error, kafka.UnsupportedSaslMechanismError):
        offered = ", ".join(call.mechanisms)
        seen = f"{call.address} does not take {name}: it offers {offered}."
        return Diagnosis(AccessRefused, seen, "Set sasl_mechanism to one of them.")
    if isinstance(error, kafka.IllegalSaslStateError):
        plain = call.protocol.removeprefix("SASL_")
        seen = f"{call.address} asks for no name and no password."
        fix = f"Set security_protocol to {plain!r}, or give the address of a listener with SASL."
        return Diagnosis(AccessRefused, seen, fix)
    if isinstance(error, kafka.SaslAuthenticationFailedError | ValueError):
        who = shown(call.settings["sasl_plain_username"])
        seen = f"{call.address} does not let {who} in with this password by {name}."
        return Diagnosis(AccessRefused, seen, "Check name, password and sasl_mechanism.")
    return _broken_off(call, error)


def _question(call: Wire, error: Exception) -> Diagnosis:
    if isinstance(error, kafka.IncompatibleBrokerVersion):
        seen = f"{call.address} is a controller, or a broker too old for this client."
        return Diagnosis(ClusterUnreachable, seen, _ELSEWHERE)
    if isinstance(error, Closed) and not security.uses_login(call.settings):
        offered = _mechanisms(call)
        if offered:
            seen = f"{call.address} asks for a name and a password ({', '.join(offered)})."
            fix = f"Set security_protocol to 'SASL_{call.protocol}', and the settings of SASL."
            return Diagnosis(AccessRefused, seen, fix)
    return _broken_off(call, error)


def _broken_off(call: Wire, error: Exception) -> Diagnosis:
    why = "said nothing more in time" if isinstance(error, TimeoutError) else "broke off"
    seen = f"{call.address} is a Kafka broker, and {why} ({type(error).__name__})."
    return Diagnosis(ClusterUnreachable, seen, "Try again, and look at the logs of the broker.")


def _again(call: Wire, settings: Mapping[str, Any], *ways: Callable[[Wire], object]) -> Wire:
    """Call the same address in these ways; what was found out until something failed is told."""
    other = Wire(call.address, settings, Deadline(AGAIN))
    with other, suppress(*FAILURES):
        for way in ways:
            way(other)
    return other


def _speaks_tls(call: Wire) -> bool:
    if call.heard:
        return call.heard.startswith(_ALERT)
    other = _again(call, _PLAIN, Wire.connect, lambda other: other.secure(tls.trusting()))
    return other.secured


def _mechanisms(call: Wire) -> list[str]:
    """Return how one may log in there: the answer to a mechanism that there is not tells."""
    return _again(call, call.settings, Wire.open, lambda other: other.choose("?")).mechanisms
