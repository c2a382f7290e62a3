"""How to talk to a cluster that somebody else runs: TLS, a name and a password.

    security = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_plain_username": "ada", "sasl_plain_password": getpass(),
                "ssl_cafile": "company-ca.pem"}
    KafkaProducer(**client_config("kafka.example.com:9093", security))

The words are kafka-python's own. What cannot work is refused here, where it can be said why: its
clients try it again and again until their time is over. No password is ever part of a message.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventlab import environment
from eventlab.cluster import addresses, tls
from eventlab.errors import InvalidSetting, shown

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
PASSWORDS = ("sasl_plain_password", "ssl_password")
LOGIN = ("sasl_mechanism", "sasl_plain_username", "sasl_plain_password")
KNOWN = ("security_protocol", *LOGIN, *tls.WORDS)

_SHORT = {name.replace("sasl_plain_", "sasl_"): name for name in KNOWN}  # as others call them
_VARIABLES = {name: f"EVENTLAB_{short.upper()}" for short, name in _SHORT.items()}
_FILE = "EVENTLAB_SASL_PASSWORD_FILE"


class Secured(dict[str, Any]):
    """The settings of a client, which do not show their passwords."""

    def __repr__(self) -> str:
        return repr({name: "***" if name in PASSWORDS else self[name] for name in self})


def client_config(bootstrap_servers: object, security: Mapping[str, Any] | None = None) -> Secured:
    """Return what every client of kafka-python takes with `**`; InvalidSetting as `check` says."""
    servers = ",".join(addresses.parse(bootstrap_servers))
    return Secured(bootstrap_servers=servers, **check(security))


def check(security: Mapping[str, Any] | None) -> Secured:
    """Return the settings, with their `security_protocol`; InvalidSetting for what cannot work."""
    given = {} if security is None else security
    if not isinstance(given, Mapping):
        raise InvalidSetting(
            "The security of a cluster comes as a dict.",
            f"You gave something of type {type(given).__name__}.",
            "Use security={'security_protocol': 'SASL_SSL', ...}.",
        )
    for name, value in given.items():
        _check_word(name, value)
    checked = Secured({"security_protocol": "PLAINTEXT"} | dict(given))
    _check_protocol(checked)
    if uses_login(checked):
        _check_login(checked)
    if uses_tls(checked):
        tls.context(checked)
    return checked


def uses_tls(security: Mapping[str, Any]) -> bool:
    """Say whether connections are encrypted."""
    return str(security["security_protocol"]).endswith("SSL")


def uses_login(security: Mapping[str, Any]) -> bool:
    """Say whether a name and a password are wanted."""
    return str(security["security_protocol"]).startswith("SASL")


def _check_word(name: object, value: object) -> None:
    if name not in KNOWN:
        meant = _SHORT | dict(zip(KNOWN, KNOWN, strict=True))
        near = difflib.get_close_matches(str(name).replace(".", "_"), meant, 1)
        raise InvalidSetting(
            "This is no setting of security.",
            f"You gave {shown(name)}.",
            f"Did you mean {meant[near[0]]!r}?" if near else f"There are {', '.join(KNOWN)}.",
        )
    kind = bool if name == "ssl_check_hostname" else str
    if not isinstance(value, kind) or value == "":
        seen = f"something of type {type(value).__name__}" if name in PASSWORDS else shown(value)
        raise InvalidSetting(
            f"{name} cannot be this.",
            f"You gave {'an empty text' if value == '' else seen}.",
            "Use True or False." if kind is bool else f"Use a text{_by_variable(str(name))}.",
        )


def _check_protocol(security: Mapping[str, Any]) -> None:
    protocol = security["security_protocol"]
    if protocol not in PROTOCOLS:
        raise _not_one_of("security_protocol", protocol, PROTOCOLS)
    for names, used, instead in (
        (LOGIN, uses_login(security), "SASL_SSL"),
        (tls.WORDS, uses_tls(security), protocol.replace("PLAINTEXT", "SSL")),
    ):
        idle = [name for name in names if name in security]
        if idle and not used:
            raise InvalidSetting(
                f"{idle[0]} means nothing to a connection of this kind.",
                f"The security_protocol is {protocol!r}.",
                f"Set security_protocol to {instead!r}, or leave {idle[0]} out.",
            )


def _check_login(security: Mapping[str, Any]) -> None:
    for name in LOGIN:
        if name not in security:
            raise InvalidSetting(
                f"{name} is missing.",
                f"The security_protocol is {security['security_protocol']!r}, which needs it.",
                f"Give {name}{_by_variable(name)}.",
            )
    if security["sasl_mechanism"] not in MECHANISMS:
        raise _not_one_of("sasl_mechanism", security["sasl_mechanism"], MECHANISMS)


def _not_one_of(name: str, given: str, known: tuple[str, ...]) -> InvalidSetting:
    return InvalidSetting(
        f"There is no such {name} here.", f"You gave {shown(given)}.", f"Use {' or '.join(known)}."
    )


def _by_variable(name: str) -> str:
    return f", or set {_VARIABLES[name]}"


def from_environment() -> dict[str, Any]:
    """Return the security that the `EVENTLAB_` variables tell; empty when they tell none."""
    told: dict[str, Any] = {
        name: value for name, variable in _VARIABLES.items() if (value := _value(variable))
    }
    file = environment.named_folder(_FILE)
    if file and "sasl_plain_password" in told:
        raise InvalidSetting(
            "The password is told twice.",
            f"EVENTLAB_SASL_PASSWORD and {_FILE} are set.",
            "Unset one of them.",
        )
    if file:
        told["sasl_plain_password"] = _read_password(file)
    if "ssl_check_hostname" in told:
        told["ssl_check_hostname"] = _truth(told["ssl_check_hostname"])
    return told


def _value(variable: str) -> str:
    """Return a variable; a password is taken as it is, with its spaces."""
    if "PASSWORD" in variable:
        return os.environ.get(variable, "")
    return environment.value(variable) or ""


def _read_password(file: Path) -> str:
    """Return the first line of a file, such as a mounted secret."""
    try:
        return file.read_text("utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(
            f"{_FILE} names a file that cannot be read.",
            f"{file}: {getattr(error, 'strerror', None) or 'it is no text'}.",
            "Set it to a file whose first line is the password.",
        ) from None


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise InvalidSetting(
            "EVENTLAB_SSL_CHECK_HOSTNAME is neither true nor false.",
            f"It is {shown(text)}.",
            "Set it to true or false.",
        )
    return text.lower() == "true"
