"""The committed schemas are what the events make, and a published version stays what it was."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from eventlab.orders import schema
from eventlab.orders.asyncapi import TOPICS
from eventlab.orders.cloudevents import decode, encode
from eventlab.orders.events import EVENTS, OrderCancelled, OrderPaid
from eventlab.orders.kinds import Id, Name, to_fields
from eventlab.orders.sample import sample_events
from tests.unit.orders import made

ASYNCAPI = json.loads((schema.FOLDER / schema.ASYNCAPI).read_text("utf-8"))


def test_the_committed_schemas_are_those_of_the_events():
    """Whoever changes an event sees it: `python -m eventlab.orders.schema` writes them anew."""
    assert schema.wrong_in(schema.FOLDER, schema.files()) == []
    assert schema.main(["--check"]) == 0
    versions = [name for name in schema.files() if name != schema.ASYNCAPI]
    assert len(versions) == len(EVENTS)


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
def test_every_event_fits_its_schema(kind):
    """Whatever an event can hold; and the schema itself is one of JSON Schema 2020-12."""
    fitting = schema.schema_of(kind)
    Draft202012Validator.check_schema(fitting)
    assert fitting["$id"] in encode_one(kind)

    @made.SLOWLY
    @given(made.anything_of(kind))
    def fits(event):
        Draft202012Validator(fitting).validate(to_fields(event))

    fits()


def encode_one(kind):
    return json.dumps(ASYNCAPI["components"]["messages"][f"{kind.__name__}.structured"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"order_id": ""},
        {"order_id": 7},
        {"amount": 7.5},
        {"amount": "7.5"},
        {"method": None},
        {"currency": "eur"},
    ],
)
def test_a_schema_refuses_what_the_event_refuses(wrong):
    """Otherwise it would be of no use to other languages."""
    good = {"order_id": "O-1", "payment_id": "P-1", "amount": "7.50", "method": "card"}
    good |= {"currency": "EUR"}
    validator = Draft202012Validator(schema.schema_of(OrderPaid))
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, **wrong})
    assert not validator.is_valid({name: good[name] for name in good if name not in wrong})


@dataclass(frozen=True, slots=True)
class WithNote(OrderCancelled):
    """A second version, with a field that may be missing."""

    version: ClassVar[int] = 2
    note: Name | None = None


@dataclass(frozen=True, slots=True)
class WithClerk(OrderCancelled):
    """A second version, with a field that has to be there."""

    version: ClassVar[int] = 2
    clerk: Id


@dataclass(frozen=True, slots=True)
class Renamed(OrderCancelled):
    """A first version that is not the one that was published."""

    why: Name | None = None


def test_a_second_version_is_written_beside_the_first(tmp_path):
    """Both stay, and each can read the other."""
    assert schema.write(tmp_path, schema.files([OrderCancelled])) == []
    assert schema.write(tmp_path, schema.files([WithNote])) == []
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"asyncapi.json", "order.cancelled.v1.json", "order.cancelled.v2.json"}
    assert schema.wrong_in(tmp_path, schema.files([WithNote])) == []


def test_a_version_that_breaks_readers_is_not_written(tmp_path):
    """It has to be a new type of event, which nobody reads by mistake."""
    schema.write(tmp_path, schema.files([OrderCancelled]))
    refused = schema.write(tmp_path, schema.files([WithClerk]))
    assert len(refused) == 1
    assert "data.clerk is needed and may be missing" in refused[0]
    assert not (tmp_path / "order.cancelled.v2.json").exists()
    assert refused[0] in schema.wrong_in(tmp_path, schema.files([WithClerk]))


def test_a_published_version_is_not_written_over(tmp_path):
    """Two schemas with one name would be worse than none; its words may become better."""
    schema.write(tmp_path, schema.files([OrderCancelled]))
    before = (tmp_path / "order.cancelled.v1.json").read_bytes()
    assert "let version be one more" in schema.write(tmp_path, schema.files([Renamed]))[0]
    assert (tmp_path / "order.cancelled.v1.json").read_bytes() == before
    assert "not what the code makes" in schema.wrong_in(tmp_path, schema.files([Renamed]))[0]
    reworded = {name: text.replace("Nobody", "No one") for name, text in schema.files().items()}
    assert schema.write(tmp_path, reworded) == []


def test_a_schema_that_is_missing_is_told(tmp_path):
    """A new event is committed with its schema."""
    missing = schema.wrong_in(tmp_path, schema.files([OrderCancelled]))
    assert "order.cancelled.v1.json is not written yet." in missing


def resolved(part):
    """Return a part of the AsyncAPI document with its references followed."""
    if isinstance(part, dict) and "$ref" in part:
        place = ASYNCAPI
        for name in part["$ref"].removeprefix("#/").split("/"):
            place = place[name]
        return resolved(place)
    if isinstance(part, dict):
        return {name: resolved(inner) for name, inner in part.items()}
    return [resolved(inner) for inner in part] if isinstance(part, list) else part


def test_the_asyncapi_document_names_every_event_once():
    """Each in both modes, on the topic of its key."""
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert {c["address"] for c in ASYNCAPI["channels"].values()} == set(TOPICS.values())
    for kind in EVENTS.values():
        holders = [
            topic
            for topic, channel in ASYNCAPI["channels"].items()
            for name in channel["messages"]
            if name.startswith(f"{kind.__name__}.")
        ]
        assert holders == [TOPICS[kind.entity]] * 2
        data = dict(schema.schema_of(kind))
        for word in ("$schema", "$id", "title", "description"):
            del data[word]
        message = resolved(ASYNCAPI["components"]["messages"][f"{kind.__name__}.binary"])
        assert message["payload"] == data


def test_every_record_is_exactly_one_message_of_its_topic():
    """As AsyncAPI wants it: its headers and value fit one message of the channel, and one only."""
    messages = [
        (name, Draft202012Validator(m["headers"]), Draft202012Validator(m["payload"]))
        for name, m in resolved(ASYNCAPI["channels"]["orders"]["messages"]).items()
    ]
    kinds = set()
    for event in sample_events(120):
        for mode in ("structured", "binary"):
            record = encode(event, mode)
            headers = {name: value.decode() for name, value in record.headers}
            fitting = [
                name
                for name, of_headers, of_value in messages
                if of_headers.is_valid(headers) and of_value.is_valid(json.loads(record.value))
            ]
            assert fitting == [f"{type(event).__name__}.{mode}"]
            kinds.add(type(decode(record)))
    assert len(kinds) == 7
