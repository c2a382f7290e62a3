"""What a subscriber may be given, and what is refused before anything is opened."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kafka import KafkaConsumer

from eventlab.errors import InvalidSetting, shown
from eventlab.orders.events import EVENTS, Event

# A rebalance is over in seconds, and a member that dies is noticed as soon as brokers allow it.
SETTINGS: Mapping[str, Any] = {
    "client_id": "order-subscriber",
    "allow_auto_create_topics": False,
    "isolation_level": "read_committed",  # of a replay that was interrupted nothing is there
    "session_timeout_ms": 10_000,
    "heartbeat_interval_ms": 1_000,
    "request_timeout_ms": 15_000,
    "reconnect_backoff_max_ms": 1_000,
    "retry_backoff_ms": 50,
    "bootstrap_timeout_ms": 5_000,
}
_OURS = {
    "enable_auto_commit": "an offset is committed when its effect is",
    "auto_offset_reset": "start= says where to begin, and an offset that is gone is read anew",
    "key_deserializer": "events are decoded here",
    "value_deserializer": "events are decoded here",
    "kafka_client": "it is how a subscriber closes what it opened",
}
_KNOWN = sorted(KafkaConsumer.DEFAULT_CONFIG.keys() - _OURS.keys() - {"bootstrap_servers"})
_GROUP = re.compile(r"[A-Za-z0-9._-]{1,249}")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


def _no(what: str, value: object, fix: str) -> InvalidSetting:
    return InvalidSetting(what, f"You gave {shown(value)}.", fix)


def group(given: object) -> str:
    """Return the name of a consumer group; it is the subscriber's name in SQL as well."""
    if isinstance(given, str) and _GROUP.fullmatch(given):
        return given
    fix = "Use 1 to 249 ASCII letters, digits, '.', '_' or '-', such as 'billing'."
    raise _no("A consumer group cannot have this name.", given, fix)


def topics(given: object, pattern: object) -> tuple[list[str], str | None]:
    """Return the names of topics, or a pattern that their names match."""
    if pattern is not None:
        return [], _pattern(pattern)
    names = [given] if isinstance(given, str) else given
    if isinstance(names, Sequence) and names and all(map(_is_topic, names)):
        return list(dict.fromkeys(names)), None
    raise _no("These are no names of topics.", given, "Use 'orders', or ['orders', 'customers'].")


def _is_topic(name: object) -> bool:
    return isinstance(name, str) and bool(_TOPIC.fullmatch(name))


def _pattern(given: object) -> str:
    try:
        if isinstance(given, str) and given:
            re.compile(given)
            return given
    except re.error:
        pass
    raise _no("The pattern is no regular expression.", given, r"Use one such as r'orders\..*'.")


def handlers(given: object, arguments: int) -> Mapping[type[Event], Callable[..., Any]]:
    """Return the handler of each type of event: a function for all of them, or a registry."""
    registry: Mapping[Any, Any]
    registry = given if isinstance(given, Mapping) else dict.fromkeys(EVENTS.values(), given)
    for kind, handler in registry.items():
        if kind not in EVENTS.values():
            fix = f"Use classes of events: {', '.join(k.__name__ for k in EVENTS.values())}."
            raise _no("A handler is registered for what is no event.", kind, fix)
        _check_handler(handler, arguments)
    if not registry:
        raise _no("There is no handler.", given, "Give a function, or {OrderCreated: function}.")
    return registry


def _check_handler(handler: object, arguments: int) -> None:
    wanted = "handler(event, db)" if arguments == 2 else "handler(event)"
    if not callable(handler):
        raise _no("The handler cannot be called.", handler, f"Give a function {wanted}.")
    try:
        inspect.signature(handler).bind(*range(arguments))
    except TypeError:
        has = f"{getattr(handler, '__name__', handler)}{inspect.signature(handler)}"
        what = f"With {'a' if arguments == 2 else 'no'} store, a handler is called as {wanted}."
        raise _no(what, has, "Write it so.") from None
    except ValueError:  # a built-in one does not tell what it takes
        return


def types(given: object) -> frozenset[type[Event]] | None:
    """Return the types of events that are wanted, None for all."""
    if given is None:
        return None
    kinds = [given] if isinstance(given, type) else given
    found = list(kinds) if isinstance(kinds, Iterable) else []
    if found and all(kind in EVENTS.values() for kind in found):
        return frozenset(found)
    raise _no("These are no types of events.", given, "Use [OrderCreated, OrderPaid].")


def predicate(given: object) -> Callable[[Event], object] | None:
    """Return what an event is asked, None when all are wanted."""
    if given is None or callable(given):
        return given
    raise _no("where= cannot be called.", given, "Use where=lambda event: event.key == 'O-1'.")


def start(given: object) -> str | datetime:
    """Return where to begin: "earliest", "latest" or a time."""
    if given in ("earliest", "latest"):
        return str(given)
    if isinstance(given, datetime) and given.tzinfo is not None:
        return given
    raise _no("A subscriber cannot start there.", given, "Use 'earliest', 'latest' or a UTC time.")


def tries(given: object) -> int:
    """Return how often an event is tried."""
    if type(given) is int and 1 <= given <= 1_000:
        return given
    raise _no("tries cannot be this.", given, "Use a whole number from 1 to 1000.")


def settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the consumer; InvalidSetting for what is unknown or not to be set."""
    for name, value in given.items():
        if name in _OURS:
            raise _no(f"{name} cannot be chosen.", value, f"Leave it out: {_OURS[name]}.")
        if name not in _KNOWN:
            near = difflib.get_close_matches(name, _KNOWN, 1)
            fix = f"Did you mean {near[0]!r}?" if near else "See KafkaConsumer.DEFAULT_CONFIG."
            raise InvalidSetting(
                "A consumer has no setting of this name.", f"You gave {name}.", fix
            )
        default = KafkaConsumer.DEFAULT_CONFIG[name]
        if type(default) in (int, float) and type(value) not in (int, float):
            raise _no(f"{name} cannot be this.", value, f"Use a number; without it, {default}.")
    return {**SETTINGS, **given}
