"""The settings of the producer: safe ones, and what a caller may say of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from kafka import KafkaProducer

from eventlab.errors import InvalidSetting, shown
from eventlab.waiting import Deadline

# What is acknowledged is on all replicas that are in sync, once and in order (KIP-679). An outage
# of a minute is waited out; nothing blocks the caller for longer than ten seconds. Three seconds
# after a publisher was asked for it is there, or it is known that nobody answers.
SAFE: Mapping[str, Any] = {
    "acks": "all",
    "enable_idempotence": True,
    "allow_auto_create_topics": False,
    "client_id": "order-publisher",
    "max_block_ms": 10_000,
    "request_timeout_ms": 10_000,
    "delivery_timeout_ms": 60_000,
    "reconnect_backoff_max_ms": 1_000,
}
_UNSAFE = {  # any other value: the reason why not
    "acks": (("all", -1), "an event that one broker has can be lost with it"),
    "enable_idempotence": ((True,), "a retry could write an event twice, or out of order"),
    "allow_auto_create_topics": ((False,), "a name typed wrong would become a topic"),
    "max_in_flight_requests_per_connection": ((1, 2, 3, 4, 5), "order needs at most 5"),
}
_OURS = {
    "key_serializer": "an event is encoded already",
    "value_serializer": "an event is encoded already",
    "partitioner": "the events of one order have to be in one partition",
    "transactional_id": "publish() begins no transaction; the outbox has one",
    "retries": "delivery_timeout_ms says for how long it is tried",
    "kafka_client": "it is how a publisher closes what it opened",
}
_KNOWN = sorted(KafkaProducer.DEFAULT_CONFIG.keys() - _OURS.keys() - {"bootstrap_servers"})


def settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return safe settings with those of the caller; InvalidSetting for unsafe and unknown ones."""
    for name, value in given.items():
        if name in _OURS:
            raise _no(f"{name} cannot be chosen.", name, value, f"Leave it out: {_OURS[name]}.")
        if name not in _KNOWN:
            near = difflib.get_close_matches(name, _KNOWN, 1)
            fix = (
                f"Did you mean {near[0]!r}?" if near else "Use one of KafkaProducer's: linger_ms=5."
            )
            raise _no("A producer has no setting of this name.", name, value, fix)
        _check_kind(name, value)
        _check_safe(name, value)
    found = {**SAFE, "bootstrap_timeout_ms": int(Deadline(2.3).seconds * 1000), **given}
    _check_timeouts(found)
    return found


def _check_kind(name: str, value: object) -> None:
    default = KafkaProducer.DEFAULT_CONFIG[name]
    if name == "acks" or default is None:  # None says nothing of what may be there
        return
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise _no(f"{name} cannot be this.", name, value, "Use True or False.")
    elif isinstance(default, int | float):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value < 1 << 31:  # type: ignore[operator]
            raise _no(f"{name} cannot be this.", name, value, "Use a number from 0.")


def _check_safe(name: str, value: object) -> None:
    safe, reason = _UNSAFE.get(name, ((value,), ""))
    if not any(value == each and type(value) is type(each) for each in safe):
        listed = " or ".join(map(repr, safe))
        raise _no(f"{name} has to be safe here.", name, value, f"Use {listed}: {reason}.")


def _check_timeouts(found: Mapping[str, Any]) -> None:
    least = found.get("linger_ms", 0) + found["request_timeout_ms"]
    if found["delivery_timeout_ms"] < least:
        given = found["delivery_timeout_ms"]
        what = "delivery_timeout_ms leaves no time for one request."
        fix = f"Use at least linger_ms + request_timeout_ms, {least:,}."
        raise _no(what, "delivery_timeout_ms", given, fix)


def _no(what: str, name: str, value: object, fix: str) -> InvalidSetting:
    secret = name.startswith(("sasl_", "ssl_"))
    seen = f"You gave {name}." if secret else f"You gave {name}={shown(value)}."
    return InvalidSetting(what, seen, fix)
