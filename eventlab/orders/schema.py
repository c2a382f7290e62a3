"""The JSON Schema of every event, as files: `python -m eventlab.orders.schema [--check]`.

They are made of the events and committed in `schemas/`, so that other languages can use them, and
so that nobody changes an event without seeing it. A version that was published stays as it is; the
next one has to be fully compatible with every version before it.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from eventlab.orders.asyncapi import document
from eventlab.orders.compatible import problems
from eventlab.orders.envelope import SCHEMAS, schema_name
from eventlab.orders.events import EVENTS, Event
from eventlab.orders.kinds import object_schema

FOLDER = Path(__file__).parent / "schemas"
ASYNCAPI = "asyncapi.json"


def schema_of(kind: type[Event]) -> dict[str, Any]:
    """Return the JSON Schema 2020-12 of an event's data."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMAS + schema_name(kind, kind.version),
        "title": kind.__name__,
        "description": inspect.getdoc(kind),
        **object_schema(kind),
    }


def files(kinds: Sequence[type[Event]] = (*EVENTS.values(),)) -> dict[str, str]:
    """Return the files that these events make, by name."""
    found = {schema_name(kind, kind.version): _text(schema_of(kind)) for kind in kinds}
    return {**found, ASYNCAPI: _text(document())}


def wrong_in(folder: Path, made: Mapping[str, str]) -> list[str]:
    """Return what is not as it should be in a folder of schemas; nothing, when all is well."""
    there = {path.name: path.read_text("utf-8") for path in folder.glob("*.json")}
    found = [f"{name} is not written yet." for name in made if name not in there]
    found += [
        f"{name} is not what the code makes."
        for name in made
        if there.get(name, made[name]) != made[name]
    ]
    return found + incompatible({**there, **made})


def incompatible(files: Mapping[str, str]) -> list[str]:
    """Return which two versions of one event are not fully compatible, and why."""
    versions = [(m[1], int(m[2]), name) for name in files if (m := _VERSION.fullmatch(name))]
    return [
        f"{old[2]} and {new[2]}: {problem} Make it a new type of event."
        for old, new in combinations(sorted(versions), 2)
        if old[0] == new[0]
        for problem in problems(json.loads(files[old[2]]), json.loads(files[new[2]]))
    ]


def write(folder: Path, made: Mapping[str, str]) -> list[str]:
    """Write the files, unless that would break somebody; return why it would."""
    kept = [name for name in made if name != ASYNCAPI and _changes(folder / name, made[name])]
    found = [f"{name} is published: let version be one more in its event." for name in kept]
    found += incompatible({**{p.name: p.read_text("utf-8") for p in folder.glob("*")}, **made})
    if not found:
        folder.mkdir(exist_ok=True)
        for name, text in made.items():
            (folder / name).write_text(text, "utf-8", newline="\n")
    return found


def main(arguments: Sequence[str]) -> int:
    """Write the schemas, or only check them; return 1 when something is wrong."""
    found = wrong_in(FOLDER, files()) if "--check" in arguments else write(FOLDER, files())
    sys.stderr.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


_VERSION = re.compile(r"(.+)\.v([0-9]+)\.json")


def _text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _changes(path: Path, text: str) -> bool:
    """Words for people may change, what a version means may not."""
    if not path.is_file():
        return False
    old, new = json.loads(path.read_text("utf-8")), json.loads(text)
    return bool({**old, "description": ""} != {**new, "description": ""})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
