"""Whether a program with one version of a schema can read what one with another version wrote.

The words are those of Confluent's Schema Registry. BACKWARD: the new version reads what the old one
wrote, so deploy the readers first. FORWARD: the old one reads what the new one writes, so deploy
the writers first, and roll back the readers whenever you want. FULL: both, so in any order.

Readers here skip what they do not know, and writers write nothing that their schema does not name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_TOLD = {"title", "description", "$schema", "$id", "examples"}  # for people
_COMPARED = {"type", "properties", "required", "items", "minItems", "maxItems", "format"}
_COMPARED |= {"pattern", "enum", "minLength", "maxLength", "minimum", "maximum"}


def problems(old: Schema, new: Schema, level: str = "FULL") -> list[str]:
    """Return why the change from old to new is not BACKWARD, FORWARD or FULL compatible."""
    found = []
    if level in ("BACKWARD", "FULL"):
        found += [f"The new version cannot read the old: {why}." for why in unread(new, old)]
    if level in ("FORWARD", "FULL"):
        found += [f"The old version cannot read the new: {why}." for why in unread(old, new)]
    return found


def unread(reader: Schema, writer: Schema, at: str = "data") -> Iterator[str]:
    """Yield what a writer with one schema may write that a reader with the other refuses."""
    if unknown := (set(reader) | set(writer)) - _COMPARED - _TOLD:
        yield f"{at} has {', '.join(sorted(unknown))}, which cannot be compared"
    types = (writer.get("type"), reader.get("type"))
    if types[0] != types[1] and types != ("integer", "number"):
        yield f"{at} was written as {types[0]} and is read as {types[1]}"
        return
    yield from _fields(reader, writer, at)
    yield from _bounds(reader, writer, at)
    for word in ("pattern", "format"):
        if word in reader and reader[word] != writer.get(word):
            yield f"{at} is read by the {word} {reader[word]}"
    if "enum" in reader and not set(writer.get("enum", [None])) <= set(reader["enum"]):
        yield f"{at} is read as one of {', '.join(map(str, reader['enum']))}"
    if "items" in reader:
        yield from unread(reader["items"], writer.get("items", {}), f"{at}[]")


def _fields(reader: Schema, writer: Schema, at: str) -> Iterator[str]:
    for name in reader.get("required", ()):
        if name not in writer.get("required", ()):
            yield f"{at}.{name} is needed and may be missing"
    written = writer.get("properties", {})
    for name, schema in reader.get("properties", {}).items():
        if name in written:
            yield from unread(schema, written[name], f"{at}.{name}")


def _bounds(reader: Schema, writer: Schema, at: str) -> Iterator[str]:
    narrower: Callable[[Any, Any], bool]
    for word in ("minimum", "minLength", "minItems", "maximum", "maxLength", "maxItems"):
        narrower = float.__gt__ if word.startswith("min") else float.__lt__
        if word not in reader:
            continue
        if word not in writer or narrower(float(reader[word]), float(writer[word])):
            yield f"{at} is read with the {word} {reader[word]}"
