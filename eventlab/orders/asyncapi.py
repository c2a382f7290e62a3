"""The AsyncAPI 3.0 document of the shop: which topics there are, and what their records hold.

It is made of the events, so it cannot say anything else than the code does; editors and catalogues
read it as OpenAPI is read for HTTP. Each event has two messages, one for each content mode.
"""

from __future__ import annotations

import inspect
from typing import Any

from eventlab.orders.cloudevents import JSON, STRUCTURED
from eventlab.orders.envelope import SCHEMAS, SPECVERSION, schema_name
from eventlab.orders.events import EVENTS, Event
from eventlab.orders.kinds import kind_of, object_schema

TOPICS = {"order_id": "orders", "customer_id": "customers", "product_id": "products"}

_FIELDS = {  # attribute: the field of Event with the same schema
    "source": "source",
    "id": "event_id",
    "time": "time",
    "correlationid": "correlation_id",
    "causationid": "causation_id",
}


def document() -> dict[str, Any]:
    """Return the document, ready for JSON."""
    kinds = EVENTS.values()
    messages = [(kind, mode) for kind in kinds for mode in ("structured", "binary")]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "The shop of eventlab",
            "version": "1.0.0",
            "description": "Orders, payments and shipments as CloudEvents 1.0 on Kafka.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": JSON,
        "channels": {topic: _channel(entity) for entity, topic in TOPICS.items()},
        "operations": {
            f"{action}-{topic}": {"action": action, "channel": _ref("channels", topic)}
            for topic in TOPICS.values()
            for action in ("send", "receive")
        },
        "components": {
            "messages": {_name(kind, mode): _message(kind, mode) for kind, mode in messages},
            "schemas": {kind.__name__: object_schema(kind) for kind in kinds},
        },
    }


def context_schema(kind: type[Event], prefix: str = "") -> dict[str, Any]:
    """Return the schema of an event's attributes, in JSON or with the prefix `ce_` as headers."""
    fixed = {
        "specversion": {"const": SPECVERSION},
        "type": {"const": kind.type},
        "dataschema": {"const": SCHEMAS + schema_name(kind, kind.version)},
        "subject": _schema(kind, kind.entity),
    }
    more = {name: _schema(kind, field) for name, field in _FIELDS.items()}
    properties = {prefix + name: schema for name, schema in {**fixed, **more}.items()}
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name != f"{prefix}causationid"],
    }


def _channel(entity: str) -> dict[str, Any]:
    messages = [
        _name(kind, mode)
        for kind in EVENTS.values()
        if kind.entity == entity
        for mode in ("structured", "binary")
    ]
    return {
        "address": TOPICS[entity],
        "description": f"Keyed by {entity}: what happens to one is in one partition, in order.",
        "messages": {name: _ref("components/messages", name) for name in messages},
    }


def _message(kind: type[Event], mode: str) -> dict[str, Any]:
    told = {
        "name": _name(kind, mode),
        "title": kind.__name__,
        "summary": inspect.getdoc(kind),
        "bindings": {"kafka": {"key": _schema(kind, kind.entity), "bindingVersion": "0.5.0"}},
    }
    return {**told, **(_structured(kind) if mode == "structured" else _binary(kind))}


def _structured(kind: type[Event]) -> dict[str, Any]:
    payload = context_schema(kind)
    payload["properties"] |= {"datacontenttype": {"const": JSON}, "data": _data(kind)}
    payload["required"] += ["datacontenttype", "data"]
    return {
        "contentType": STRUCTURED,
        "correlationId": {"location": "$message.payload#/correlationid"},
        "headers": _content_type({"type": "object"}, STRUCTURED),
        "payload": payload,
    }


def _binary(kind: type[Event]) -> dict[str, Any]:
    return {
        "contentType": JSON,
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "headers": _content_type(context_schema(kind, "ce_"), JSON),
        "payload": _data(kind),
    }


def _content_type(headers: dict[str, Any], content: str) -> dict[str, Any]:
    properties = {"content-type": {"const": content}, **headers.get("properties", {})}
    required = ["content-type", *headers.get("required", ())]
    return {**headers, "properties": properties, "required": required}


def _schema(kind: Any, field: str) -> dict[str, Any]:
    return dict(kind_of(kind, field).schema)


def _data(kind: type[Event]) -> dict[str, str]:
    return _ref("components/schemas", kind.__name__)


def _name(kind: type[Event], mode: str) -> str:
    return f"{kind.__name__}.{mode}"


def _ref(place: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/{place}/{name}"}
