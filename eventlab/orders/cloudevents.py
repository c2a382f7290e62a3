"""Events as Kafka records, and back: JSON in a CloudEvents 1.0 envelope, keyed by the entity.

    producer.send("orders", **encode(created)._asdict())
    for record in consumer:
        event = decode(record)

Both content modes of the CloudEvents Kafka protocol binding 1.0: *structured* has envelope and data
in the value, *binary* the data in the value and the envelope in headers. `decode` tells them apart,
and takes the article's `{"event": "ORDER_CREATED", "orderId": ...}` as version 0.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from eventlab.errors import InvalidSetting, shown
from eventlab.orders import wire
from eventlab.orders.envelope import attributes, event_of
from eventlab.orders.errors import EventDecodeError, EventEncodeError
from eventlab.orders.events import Event
from eventlab.orders.kinds import to_fields
from eventlab.orders.version0 import FindOrder, upgraded

STRUCTURED = "application/cloudevents+json; charset=UTF-8"
JSON = "application/json"
_FIX = "Send what encode(event) returns."


class Encoded(NamedTuple):
    """The key, value and headers of a record, as `KafkaProducer.send` takes them."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Received(Protocol):
    """What `decode` needs of a record: kafka-python's have it, and `Encoded` too."""

    @property
    def value(self) -> Any:
        """The bytes of the value, None for a tombstone."""

    @property
    def headers(self) -> Sequence[tuple[str, Any]] | None:
        """Names with bytes; a name may come twice, and have no value."""


def encode(event: Event, mode: str = "structured") -> Encoded:
    """Return the event as a record; its key is the id of the entity, so its story stays in order.

    The mode is "structured" or "binary". EventEncodeError when it is no event.
    """
    if not isinstance(event, Event):
        seen = f"You gave {shown(event)}, a {type(event).__name__}."
        raise EventEncodeError("Only an Event can be encoded.", seen, "Make an OrderCreated(...).")
    context, data, key = attributes(event), to_fields(event), event.key.encode()
    if mode == "structured":
        value = wire.dumps({**context, "datacontenttype": JSON, "data": data})
        return Encoded(key, value, [("content-type", STRUCTURED.encode())])
    if mode == "binary":
        headers = [(f"ce_{name}", text.encode()) for name, text in context.items()]
        return Encoded(key, wire.dumps(data), [("content-type", JSON.encode()), *headers])
    raise _unknown(mode)


def check_mode(mode: object) -> None:
    """Refuse what is no content mode; InvalidSetting names them."""
    if mode not in ("structured", "binary"):
        raise _unknown(mode)


def decode(record: Received, find_order: FindOrder | None = None) -> Event:
    """Return the event in a record, whoever wrote it; any DomainError says why there is none.

    EventDecodeError: the bytes are no event. UnknownEventType: of a later shop, perhaps.
    EventVersionError, EventValidationError: an event, but not one that can be read.
    `find_order(order_id)` tells what an event of version 0 does not say.
    """
    headers = headers_of(record)
    content = headers.get("content-type", "")
    if content.lower().startswith("application/cloudevents"):
        return _structured(content, wire.loads(record.value))
    if "ce_specversion" in headers:
        context = {name[3:]: text for name, text in headers.items() if name.startswith("ce_")}
        _check_json(content or JSON)
        return event_of(context, wire.loads(record.value))
    return _unlabelled(wire.loads(record.value), find_order)


def _unknown(mode: object) -> InvalidSetting:
    return InvalidSetting(
        "The content mode is unknown.", f"You gave {shown(mode)}.", "Say 'structured' or 'binary'."
    )


def _structured(content: str, fields: Mapping[str, Any]) -> Event:
    if _media_type(content) != "application/cloudevents+json":
        raise EventDecodeError(
            "The event is in a format that is not read here.",
            f"Its content-type is {shown(content)}.",
            f"Send {STRUCTURED}.",
        )
    _check_json(fields.get("datacontenttype") or JSON)
    return event_of(fields, _data(fields))


def _unlabelled(fields: Mapping[str, Any], find_order: FindOrder | None) -> Event:
    if "specversion" in fields:  # structured mode may come without any header
        return _structured(STRUCTURED, fields)
    if "event" in fields:
        return upgraded(fields, find_order)
    seen = f"Its value has {shown(', '.join(fields))}, and its headers say nothing."
    raise EventDecodeError("The record holds no event.", seen, _FIX)


def _data(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    if ("data" in fields) == ("data_base64" in fields):
        seen = f"It has {shown(', '.join(fields))}."
        raise EventDecodeError("An event has either data or data_base64.", seen, _FIX)
    if "data" in fields:
        return wire.as_object(fields["data"])
    try:
        return wire.loads(base64.b64decode(fields["data_base64"], validate=True))
    except (TypeError, ValueError) as error:
        if isinstance(error, EventDecodeError):
            raise
        seen = f"It is {shown(fields['data_base64'])}."
        raise EventDecodeError("data_base64 is not Base64.", seen, _FIX) from None


def headers_of(record: Received) -> dict[str, str]:
    """Return the headers that matter here as text; each attribute comes at most once."""
    found: dict[str, str] = {}
    for name, value in record.headers or ():
        if name != "content-type" and not name.startswith("ce_"):
            continue
        try:
            text = value.decode()
        except (AttributeError, UnicodeDecodeError):
            seen = f"{name} is {shown(value)}."
            raise EventDecodeError("A header of the event is not UTF-8.", seen, _FIX) from None
        if name in found:
            seen = f"{name} is {shown(found[name])} and {shown(text)}."
            raise EventDecodeError("A header of the event comes twice.", seen, _FIX)
        found[name] = text
    return found


def _media_type(content: str) -> str:
    return content.partition(";")[0].strip().lower()


def _check_json(content: object) -> None:
    kind = _media_type(str(content))
    if not kind.endswith(("/json", "+json")):
        seen = f"Their content type is {shown(content)}."
        raise EventDecodeError("The data of the event are no JSON.", seen, f"Send {JSON}.")
