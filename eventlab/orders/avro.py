"""The same events in Avro (`eventlab[avro]`): no names in a record, so it is about half the size.

    record = avro.encode(created)
    avro.decode(record) == created                         # True

JSON says the name of each field in each record. Avro says them in a schema, which is needed to read
anything: who wrote, by which schema? Here a record begins with the fingerprint of it (single-object
encoding, Avro 1.12); a Schema Registry keeps schemas under numbers instead. A reader resolves the
writer's schema against its own: what it does not know is skipped, what is missing has a default.
The envelope is in headers, as in the binary mode of CloudEvents.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

from eventlab.errors import shown
from eventlab.orders import cloudevents
from eventlab.orders.cloudevents import Encoded, Received
from eventlab.orders.envelope import event_of
from eventlab.orders.errors import EventDecodeError
from eventlab.orders.events import EVENTS, Event
from eventlab.orders.kinds import Kind, data_kinds, to_fields

AVRO = "application/avro"
_NAMESPACE = "example.eventlab"
_MARK = b"\xc3\x01"
_HEAD = len(_MARK) + 8

Schema = Mapping[str, Any]


def schema(kind: type[Event]) -> dict[str, Any]:
    """Return the Avro schema of an event's data; a field that may be missing is null by default."""
    cls: Any = kind
    fields = [_field(name, each) for name, each in data_kinds(cls).items()]
    return {"type": "record", "name": kind.__name__, "namespace": _NAMESPACE, "fields": fields}


def encode(event: Event, writer: Schema | None = None) -> Encoded:
    """Return the event as a record, by the schema of its type or by another one of it."""
    plain = cloudevents.encode(event, "binary")
    written = writer or schema(type(event))
    value = io.BytesIO()
    fastavro.schemaless_writer(value, _parsed(written), to_fields(event))
    headers = [("content-type", AVRO.encode()), *plain.headers[1:]]
    return Encoded(plain.key, _MARK + print_of(written) + value.getvalue(), headers)


def decode(record: Received, writers: Iterable[Schema] = ()) -> Event:
    """Return the event in a record that was written by a schema of this shop, or by one of these.

    EventDecodeError when the schema is unknown, or the bytes are not of it; other DomainErrors as
    of `cloudevents.decode`.
    """
    headers = cloudevents.headers_of(record)
    context = {name[3:]: text for name, text in headers.items() if name.startswith("ce_")}
    kind = EVENTS.get(str(context.get("type")))
    if kind is None or not isinstance(record.value, bytes):
        return cloudevents.decode(record)  # it says what is wrong
    written = _writer(record.value, [schema(kind), *writers])
    try:
        data = fastavro.schemaless_reader(
            io.BytesIO(record.value[_HEAD:]), _parsed(written), _parsed(schema(kind))
        )
    except (EOFError, IndexError, ValueError, fastavro.read.SchemaResolutionError) as error:
        seen = f"Reading gave {type(error).__name__}: {error}."
        fix = "Send what avro.encode(event) returns."
        raise EventDecodeError("The value is not of its Avro schema.", seen, fix) from None
    assert isinstance(data, dict)
    return event_of(context, data)


def print_of(written: Schema) -> bytes:
    """Return the fingerprint of a schema: eight bytes, CRC-64-AVRO of its canonical form."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(dict(written)), "CRC-64-AVRO"))


def _writer(value: bytes, known: Iterable[Schema]) -> Schema:
    for each in known:
        if value.startswith(_MARK + print_of(each)):
            return each
    raise EventDecodeError(
        "The Avro schema of this record is unknown.",
        f"It begins with {shown(value[:_HEAD])}.",
        "Pass the schema that it was written by: avro.decode(record, [schema]).",
    )


def _field(name: str, kind: Kind) -> dict[str, Any]:
    found = _type(name, kind.schema)
    if kind.optional:
        return {"name": name, "type": ["null", found], "default": None}
    return {"name": name, "type": found}


def _type(name: str, plain: Mapping[str, Any]) -> Any:
    """Return the Avro type for a JSON Schema; money and times are text in both."""
    if plain["type"] == "array":
        return {"type": "array", "items": _type(name.removesuffix("s"), plain["items"])}
    if plain["type"] == "object":
        fields = [{"name": n, "type": _type(n, each)} for n, each in plain["properties"].items()]
        return {"type": "record", "name": name.capitalize(), "fields": fields}
    return {"string": "string", "integer": "long"}[plain["type"]]


def _parsed(plain: Schema) -> Any:
    return fastavro.parse_schema(dict(plain))
