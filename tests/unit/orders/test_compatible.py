"""Which changes of a schema keep every reader alive, and which are refused."""

from __future__ import annotations

import copy
import random
import re

import pytest
from jsonschema import Draft202012Validator

from eventlab.orders.compatible import problems, unread
from eventlab.orders.events import OrderCreated, OrderPaid
from eventlab.orders.kinds import object_schema

OLD = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "pattern": "^O"},
        "amount": {"type": "integer", "minimum": 1, "maximum": 100},
        "reason": {"type": "string", "minLength": 1, "maxLength": 20},
        "status": {"type": "string", "enum": ["paid", "sent"]},
        "items": {
            "type": "array",
            "minItems": 1,
            "maxItems": 9,
            "items": {
                "type": "object",
                "properties": {"sku": {"type": "string"}, "gift": {"type": "boolean"}},
                "required": ["sku"],
            },
        },
    },
    "required": ["order_id", "amount", "status", "items"],
}
ITEM = ("properties", "items", "items")


def at(schema, *path):
    for name in path:
        schema = schema[name]
    return schema


def changed(*path, **change):
    """Return the schema with words set at a place; None takes a word away."""
    new = copy.deepcopy(OLD)
    place = at(new, *path)
    place |= change
    for word in [word for word, value in change.items() if value is None]:
        del place[word]
    return new


def amount(**change):
    return changed("properties", "amount", **change)


STRING = {"type": "string"}
CHANGES = [  # what changes, and which levels allow it
    ("nothing", OLD, "BACKWARD FORWARD FULL"),
    ("other words for people", changed(title="New", description="New"), "BACKWARD FORWARD FULL"),
    ("a field that may be missing", changed("properties", note=STRING), "BACKWARD FORWARD FULL"),
    ("no optional field any more", changed("properties", reason=None), "BACKWARD FORWARD FULL"),
    (
        "a field that has to be there",
        changed("properties", note=STRING)
        | {"required": ["order_id", "amount", "status", "items", "note"]},
        "FORWARD",
    ),
    (
        "a needed field is gone",
        changed("properties", amount=None) | {"required": ["order_id", "status", "items"]},
        "BACKWARD",
    ),
    ("a needed field is optional", changed(required=["order_id", "status", "items"]), "BACKWARD"),
    (
        "an optional field is needed",
        changed(required=["order_id", "amount", "status", "items", "reason"]),
        "FORWARD",
    ),
    ("another type", amount(type="string", minimum=None, maximum=None), ""),
    ("a wider type", amount(type="number"), "BACKWARD"),
    ("less is allowed", amount(minimum=0), "BACKWARD"),
    ("less is refused", amount(minimum=2), "FORWARD"),
    ("no lower bound", amount(minimum=None), "BACKWARD"),
    ("more is allowed", amount(maximum=1_000), "BACKWARD"),
    ("more is refused", amount(maximum=99), "FORWARD"),
    ("longer texts", changed("properties", "reason", maxLength=200), "BACKWARD"),
    ("shorter texts", changed("properties", "reason", maxLength=2), "FORWARD"),
    ("empty texts", changed("properties", "reason", minLength=0), "BACKWARD"),
    ("no empty list", changed("properties", "items", minItems=2), "FORWARD"),
    ("longer lists", changed("properties", "items", maxItems=99), "BACKWARD"),
    ("another pattern", changed("properties", "order_id", pattern="^P"), ""),
    ("any text", changed("properties", "order_id", pattern=None), "BACKWARD"),
    ("a new status", changed("properties", "status", enum=["paid", "sent", "lost"]), "BACKWARD"),
    ("a status less", changed("properties", "status", enum=["paid"]), "FORWARD"),
    ("any status", changed("properties", "status", enum=None), "BACKWARD"),
    ("a format", changed("properties", "reason", format="date"), "FORWARD"),
    ("an item may have more", changed(*ITEM, "properties", size=STRING), "BACKWARD FORWARD FULL"),
    ("an item needs more", changed(*ITEM, required=["sku", "gift"]), "FORWARD"),
    ("an item of another type", changed(*ITEM, "properties", sku={"type": "integer"}), ""),
    ("a word not known here", changed(additionalProperties=False), ""),
]


@pytest.mark.parametrize(("new", "allowed"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_a_change_is_allowed_or_refused(new, allowed):
    """In the words of the Schema Registry; FULL is what an event needs that can be rolled back."""
    levels = ("BACKWARD", "FORWARD", "FULL")
    assert [level for level in levels if not problems(OLD, new, level)] == allowed.split()


def test_a_problem_says_where_and_in_which_direction():
    """So that it can be repaired."""
    new = changed(*ITEM, "properties", sku={"type": "integer"})
    place = "data.items[].sku was written as"
    assert problems(OLD, new) == [
        f"The new version cannot read the old: {place} string and is read as integer.",
        f"The old version cannot read the new: {place} integer and is read as string.",
    ]


def written(schema, dice):
    """Return something that a writer with this schema may write: only fields that it names."""
    if schema["type"] == "object":
        return {
            name: written(inner, dice)
            for name, inner in schema["properties"].items()
            if name in schema["required"] or dice.random() < 0.5
        }
    if schema["type"] == "array":
        size = dice.randint(schema.get("minItems", 0), min(schema.get("maxItems", 3), 12))
        return [written(schema["items"], dice) for _ in range(size)]
    if schema["type"] == "string":
        return dice.choice(schema.get("enum") or [w for w in TEXTS if fits(schema, w)])
    if schema["type"] == "boolean":
        return dice.random() < 0.5
    low, high = schema.get("minimum", -5), schema.get("maximum", 2_000)
    some = [low, high, dice.randint(low, high)]
    return dice.choice(some if schema["type"] == "integer" else [*some, low + 0.5])


TEXTS = ("", "O", "OO", "P" * 15, "O" * 60)


def fits(schema, text):
    least, most = schema.get("minLength", 0), schema.get("maxLength", 100)
    return least <= len(text) <= most and re.search(schema.get("pattern", ""), text)


@pytest.mark.parametrize(
    "new",
    [c[1] for c in CHANGES if "P" not in str(c[1]) and "date" not in str(c[1])],
)
def test_what_is_said_to_be_read_is_read(new):
    """A validator of the reader's schema takes what a writer writes, whenever we say it does.

    And when we say that it does not, it refuses something: neither too strict nor too lax.
    """
    dice = random.Random(7)
    for reader, writer in ((OLD, new), (new, OLD)):
        validator = Draft202012Validator(reader)
        refused = [v for _ in range(100) if not validator.is_valid(v := written(writer, dice))]
        if "additionalProperties" not in str(new):
            assert bool(refused) == bool(list(unread(reader, writer)))


def test_the_events_can_read_themselves_and_not_each_other():
    """Every word that our schemas use is known to the comparison."""
    created, paid = object_schema(OrderCreated), object_schema(OrderPaid)
    assert problems(created, created) == problems(paid, paid) == []
    assert problems(created, paid)
