"""The envelope of an event: the attributes of CloudEvents 1.0, and the event that they make.

`type` says what happened, `id` and `source` which event it is, `time` when, `subject` to what,
`dataschema` in which version, `correlationid` and `causationid` (the Correlation extension) why.
A later version of a known type is read as far as this one goes: it may only have added fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from eventlab.errors import shown
from eventlab.orders.errors import EventValidationError, EventVersionError, UnknownEventType
from eventlab.orders.events import EVENTS, Event
from eventlab.orders.kinds import from_fields
from eventlab.orders.values import from_rfc3339, to_iso, wrong

SPECVERSION = "1.0"
SCHEMAS = "https://eventlab.example/schemas/"


def attributes(event: Event) -> dict[str, str]:
    """Return the attributes of an event by name; the binding adds `datacontenttype`."""
    found = {
        "specversion": SPECVERSION,
        "type": event.type,
        "source": event.source,
        "id": event.event_id,
        "time": to_iso(event.time),
        "subject": event.key,
        "dataschema": SCHEMAS + schema_name(type(event), event.version),
        "correlationid": event.correlation_id,
    }
    return found if event.causation_id is None else {**found, "causationid": event.causation_id}


def event_of(context: Mapping[str, Any], data: Mapping[str, Any]) -> Event:
    """Return the event of these attributes and these data, which others may have written."""
    context = {name: value for name, value in context.items() if value is not None}
    if context.get("specversion") != SPECVERSION:
        raise _version("specversion", context.get("specversion"), f"Send {SPECVERSION!r}.")
    kind = _kind(context.get("type"))
    _check_schema(kind, context.get("dataschema"))
    try:
        event = from_fields(
            kind,
            data,
            event_id=_needed(context, "id"),
            source=_needed(context, "source"),
            time=_time(_needed(context, "time")),
            correlation_id=context.get("correlationid", ""),
            causation_id=context.get("causationid"),
        )
    except EventValidationError as error:
        raise error if error.field in _ENVELOPE else error.inside("data.") from None
    if context.get("subject", event.key) != event.key:
        raise wrong("subject", context["subject"], f"It is the {event.entity}, {event.key}.")
    return event


def schema_name(kind: type[Event], version: int) -> str:
    """Return the name of the file with the JSON Schema of one version of an event's data."""
    return f"{kind.type.removeprefix('example.eventlab.')}.v{version}.json"


_VERSION = re.compile(r"[1-9][0-9]{0,5}\.json")
_ENVELOPE = ("id", "source", "time", "event_id", "correlation_id", "causation_id")


def _kind(name: object) -> type[Event]:
    if isinstance(name, str) and name in EVENTS:
        return EVENTS[name]
    raise UnknownEventType(
        "This shop has no such type of event.",
        f"The type is {shown(name)}.",
        f"Skip it, or send one of: {', '.join(EVENTS)}.",
        type=name if isinstance(name, str) else "",
    )


def _check_schema(kind: type[Event], uri: object) -> None:
    """Any version from 1 on may come, and an event of another publisher may name none."""
    first = SCHEMAS + schema_name(kind, 1)
    if uri in (None, first) or _VERSION.fullmatch(str(uri).removeprefix(first[: -len("1.json")])):
        return
    raise _version("dataschema", uri, f"Send {SCHEMAS}{schema_name(kind, kind.version)}.")


def _version(name: str, value: object, fix: str) -> EventVersionError:
    return EventVersionError(f"{name} is no version to read.", f"It is {shown(value)}.", fix)


def _needed(context: Mapping[str, Any], name: str) -> Any:
    if name not in context:
        seen = f"The envelope has {shown(', '.join(context))}."
        raise EventValidationError(f"{name} is missing.", seen, "Send it.", field=name)
    return context[name]


def _time(text: object) -> Any:
    try:
        return from_rfc3339(str(text))
    except ValueError:
        raise wrong("time", text, "Send a time such as 2026-06-01T08:15:00Z.") from None
