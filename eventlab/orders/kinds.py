"""What a field may hold, said once: how it is checked, how it reads in JSON, and its schema.

    @dataclass(frozen=True, slots=True)
    class Item:
        product_id: Id                 # a str to Python, 64 plain characters to everybody
        quantity: Quantity
        unit_price: Money              # a Decimal to Python, text in JSON

        def __post_init__(self) -> None:
            check_fields(self)

`to_fields(item)` is what goes into JSON and `from_fields(Item, ...)` brings it back; keyword-only
fields stay out of both. A field that is `... | None` may be missing. Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache, partial
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from eventlab.errors import shown
from eventlab.orders import values
from eventlab.orders.errors import EventValidationError
from eventlab.orders.values import wrong

T = TypeVar("T")


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True, eq=False)  # an Annotated wants a hash
class Kind:
    """One kind of field; `read` raises ValueError for JSON that it cannot take."""

    schema: Mapping[str, Any]
    check: Callable[[str, Any], None]
    write: Callable[[Any], Any] = _same
    read: Callable[[Any], Any] = _same
    optional: bool = False


def _text(pattern: str, check: Callable[[str, Any], None], **more: Any) -> Kind:
    return Kind({"type": "string", "pattern": f"^{pattern}$"}, check, **more)


_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_QUANTITY = {"type": "integer", "minimum": 1, "maximum": values.MOST}

Id = Annotated[str, _text(values.ID.pattern, values.check_id)]
Name = Annotated[str, Kind(_NAME, values.check_name)]
Source = Annotated[str, _text(values.SOURCE.pattern, values.check_source)]
Country = Annotated[str, _text("[A-Z]{2}", partial(values.check_code, length=2))]
Currency = Annotated[str, _text("[A-Z]{3}", partial(values.check_code, length=3))]
Quantity = Annotated[int, Kind(_QUANTITY, values.check_quantity)]
Money = Annotated[
    Decimal, _text(values.MONEY.pattern, values.check_money, write=str, read=values.from_text)
]
Time = Annotated[
    datetime,
    Kind(
        {"type": "string", "format": "date-time", "pattern": "Z$"},
        values.check_time,
        values.to_iso,
        values.from_iso,
    ),
]


def check_fields(value: Any) -> None:
    """Check every field that a value was made with; EventValidationError names the wrong one."""
    cls: Any = type(value)
    for name, check in _checks(cls):
        check(name, getattr(value, name))


def to_fields(value: Any) -> dict[str, Any]:
    """Return a value as what JSON knows, its fields in their order."""
    cls: Any = type(value)
    found = ((n, kind, getattr(value, n)) for n, kind in data_kinds(cls).items())
    return {n: kind.write(field) for n, kind, field in found if field is not None}


def from_fields(cls: Callable[..., T], data: Mapping[str, Any], **more: Any) -> T:
    """Read what `to_fields` wrote, skipping fields that `cls` does not know: a later version's."""
    read = dict(_read(cls, data))
    said = {name: read.pop(name) for name in _computed(cls)}
    value = cls(**read, **more)
    for name in said:
        if said[name] != (computed := getattr(value, name)):
            seen = f"It says {said[name]}, they make {computed}."
            what = f"{name} does not fit the other fields."
            raise EventValidationError(what, seen, "Send what they make.", field=name)
    return value


@cache
def data_kinds(cls: Any) -> dict[str, Kind]:
    """Return the kinds of all fields that a class has in JSON, by name."""
    return {f.name: kind_of(cls, f.name) for f in fields(cls) if not f.kw_only}


@cache
def kind_of(cls: Any, name: str) -> Kind:
    """Return what a field of a dataclass may hold."""
    return _kind(get_type_hints(cls, include_extras=True)[name])


@cache
def _computed(cls: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(cls) if not f.init)


@cache
def _checks(cls: Any) -> tuple[tuple[str, Callable[[str, Any], None]], ...]:
    return tuple((f.name, kind_of(cls, f.name).check) for f in fields(cls) if f.init)


def _read(cls: Any, data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, kind in data_kinds(cls).items():
        if (value := data.get(name)) is not None:
            yield name, _converted(name, kind, value)
        elif not kind.optional:
            seen = f"There is {shown(', '.join(data))}."
            raise EventValidationError(f"{name} is missing.", seen, "Send it.", field=name)


def _converted(name: str, kind: Kind, value: Any) -> Any:
    expected = kind.schema["type"]
    if not isinstance(value, _PYTHON[expected]):
        raise wrong(name, value, f"Send a JSON {expected}.")
    try:
        return kind.read(value)
    except EventValidationError as error:
        raise error.inside(name) from None
    except ValueError:
        raise wrong(name, value, f"Send {_wanted(kind.schema)}.") from None


def _wanted(schema: Mapping[str, Any]) -> str:
    known = schema.get("enum")
    return f"one of {', '.join(known)}" if known else f"text such as {_EXAMPLES[schema['pattern']]}"


_PYTHON: dict[str, type] = {"string": str, "integer": int, "array": list}
_EXAMPLES = {f"^{values.MONEY.pattern}$": "12.90", "Z$": "2026-06-01T08:15:00Z"}


def _kind(hint: Any) -> Kind:
    if get_origin(hint) is Annotated:
        kind: Kind = get_args(hint)[1]
        return kind
    if get_origin(hint) is tuple:
        return _many(get_args(hint)[0])
    if NoneType in get_args(hint):
        return _maybe(_kind(get_args(hint)[0]))
    if issubclass(hint, StrEnum):
        schema = {"type": "string", "enum": [str(member) for member in hint]}
        return Kind(schema, partial(values.check_member, kind=hint), str, hint)
    raise TypeError(hint)


def _maybe(kind: Kind) -> Kind:
    def check(name: str, value: object) -> None:
        if value is not None:
            kind.check(name, value)

    return replace(kind, check=check, optional=True)


def _many(cls: Any) -> Kind:
    def write(items: tuple[object, ...]) -> list[dict[str, Any]]:
        return [to_fields(item) for item in items]

    def read(items: list[Any]) -> tuple[Any, ...]:
        return tuple(_item(cls, number, item) for number, item in enumerate(items))

    schema = {"type": "array", "items": object_schema(cls), "minItems": 1}
    return Kind(schema, partial(values.check_items, kind=cls), write, read)


def _item(cls: Any, number: int, item: Any) -> Any:
    if not isinstance(item, dict):
        raise wrong(f"[{number}]", item, "Send a JSON object.")
    try:
        return from_fields(cls, item)
    except EventValidationError as error:
        raise error.inside(f"[{number}].") from None


def object_schema(cls: Any) -> dict[str, Any]:
    """Return the JSON Schema of a value; others may add fields, so it is open."""
    kinds = data_kinds(cls)
    return {
        "type": "object",
        "properties": {name: dict(kind.schema) for name, kind in kinds.items()},
        "required": [name for name, kind in kinds.items() if not kind.optional],
    }
