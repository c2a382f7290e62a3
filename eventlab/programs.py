"""A function of a notebook as a program: a process of its own, which can be killed.

    with programs.start(consume_events, "orders", "shop.db") as program:
        program.kill()                  # SIGKILL: it tidies nothing up
    program.wait()                      # -9
    program.said                        # what it has printed

The function takes along what it names: other functions and classes of the notebook as their text,
what was imported by its import, and text, numbers and the like by their value. Arguments travel
likewise.
It does not get the notebook's clients or open files: a process has its own.
"""

from __future__ import annotations

import ast
import dis
import inspect
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from eventlab.cluster import process
from eventlab.errors import InvalidSetting, NeverHappened, shown
from eventlab.waiting import seconds

_PLAIN = (str, bytes, int, float, tuple, list, dict, set, type(None))


class Program:
    """A process that runs a function; it ends with its block, and on Linux with its parent."""

    def __init__(self, text: str) -> None:
        self._out = tempfile.TemporaryFile()  # noqa: SIM115 (`said` reads it when all is over)
        self._process = subprocess.Popen(
            [sys.executable, "-c", text],
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._out,
            start_new_session=True,  # an interrupt at the keyboard is not for it
            preexec_fn=process.dies_with_parent(),
        )

    @property
    def said(self) -> str:
        """What it has printed so far, errors too."""
        # Not seek and read: the place in the file is the program's as well, which writes there.
        file = self._out.fileno()
        return os.pread(file, os.fstat(file).st_size, 0).decode("utf-8", "replace")

    def kill(self) -> None:
        """SIGKILL it, whatever it is doing; nothing when it has ended."""
        self._process.kill()
        self._process.wait(10)

    def stop(self, within: float = 30.0) -> int:
        """SIGTERM it, so that it ends in good order; return its exit code, as `wait` does."""
        self._process.terminate()
        return self.wait(within)

    def wait(self, within: float = 30.0) -> int:
        """Return its exit code when it has ended, -9 when it was killed; else NeverHappened."""
        try:
            return self._process.wait(seconds("within", within))
        except subprocess.TimeoutExpired:
            said = " ".join(self.said.split())[-300:]
            fix = "Give it more time with within=, or kill() it."
            raise NeverHappened("The program has not ended.", f"It said: {said}.", fix) from None

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()

    def __repr__(self) -> str:
        code = self._process.poll()
        return f"<Program {self._process.pid} · {'runs' if code is None else f'ended: {code}'}>"


def start(function: Callable[..., Any], *arguments: Any) -> Program:
    """Start a program that calls `function` with these arguments, and ends when it returns.

    InvalidSetting for a function or an argument that cannot travel.
    """
    needed: dict[str, str] = {}
    given = ", ".join([_told(each, needed) for each in arguments])
    call = f"{_told(function, needed)}({given})"
    return Program("\n\n".join([*needed.values(), call]))


def _told(value: Any, needed: dict[str, str]) -> str:
    """Return how a program says this value; what it needs for that is added to `needed`."""
    if isinstance(value, FunctionType | type) and value.__module__ == "__main__":
        _add(value, needed)
        return value.__name__
    if isinstance(value, _PLAIN):
        return repr(value)
    home, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if home == "__main__" or getattr(sys.modules.get(str(home)), name, None) is not value:
        raise _cannot(value)
    needed[f"{home}.{name}"] = f"from {home} import {name}"
    return name


def _add(value: Any, needed: dict[str, str]) -> None:
    """Add the text of a function or class, after all that it names."""
    name, here = value.__name__, vars(sys.modules["__main__"])
    if name in needed:
        return
    if not name.isidentifier():  # a lambda
        raise _cannot(value)
    needed[name] = ""  # it may name itself
    try:
        text = _text(value)
        code = compile(text, name, "exec")
    except (OSError, TypeError, SyntaxError):  # written nowhere, or inside of something
        raise _cannot(value) from None
    for each in dict.fromkeys(_names(code)):
        if each in here and not each.startswith("__"):
            _define(each, here[each], needed)
    del needed[name]
    needed[name] = text


def _text(value: Any) -> str:
    if isinstance(value, FunctionType):
        return inspect.getsource(value)
    # Python finds a class by its file, which a cell has not; a method of it knows its cell.
    method = next((each for each in vars(value).values() if isinstance(each, FunctionType)), None)
    lines, _ = inspect.findsource(method)  # type: ignore[arg-type]  # None is a TypeError, as meant
    named = [n for n in ast.parse("".join(lines)).body if isinstance(n, ast.ClassDef)]
    found = [each for each in named if each.name == value.__name__][-1:]
    if not found:
        raise OSError("written nowhere")
    (node,) = found
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return "".join(lines[first - 1 : node.end_lineno])


def _define(name: str, value: Any, needed: dict[str, str]) -> None:
    if isinstance(value, ModuleType):
        needed[name] = f"import {value.__name__} as {name}"
    elif (told := _told(value, needed)) != name:
        needed[name] = f"{name} = {told}"


def _names(code: CodeType) -> Iterator[str]:
    for step in dis.get_instructions(code):  # co_names has the names of attributes too
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield step.argval
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _cannot(value: object) -> InvalidSetting:
    return InvalidSetting(
        "This cannot travel to another process.",
        f"It is {shown(value)}.",
        "Use functions and classes of a cell, imports, text and numbers; open files there.",
    )
