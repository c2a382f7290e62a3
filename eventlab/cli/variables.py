"""Options that the environment can give as well: `--group` is EVENTLAB_ORDERS_GROUP.

A variable is read as the option would be, so what is refused there is refused here; what is typed
stands behind it, and wins. An empty value counts as unset.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from eventlab.environment import ORDERS

_NAMED = {"servers": "EVENTLAB_SERVERS", "store": "EVENTLAB_STORE"}
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Part(argparse.ArgumentParser):
    """A command each of whose options has a variable; its help names them."""

    def add_argument(self, *names: Any, **more: Any) -> argparse.Action:
        """Add an option, with its variable."""
        action = super().add_argument(*names, **more)
        if action.dest != "help":
            action.help = f"{action.help} [{variable(action)}]"
        return action

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse what the environment says, and what was typed."""
        return super().parse_known_args([*self._told(), *(args or ())], namespace)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and where it may come from."""
        found = ", ".join(variable(action) for action, _ in self._set())
        super().error(f"{message} (the environment has {found})" if found else message)

    def _told(self) -> Iterator[str]:
        """Yield what one would type instead."""
        for action, text in self._set():
            [option] = action.option_strings
            if action.nargs != 0:
                yield f"{option}={text}"
            elif text.lower() in _YES:
                yield option
            elif text.lower() not in _NO:
                self.error(f"{variable(action)} is {text!r}: use {_YES[0]} or {_NO[0]}")

    def _set(self) -> Sequence[tuple[argparse.Action, str]]:
        options = [action for action in self._actions if action.dest != "help"]
        told = ((action, os.environ.get(variable(action), "").strip()) for action in options)
        return [(action, text) for action, text in told if text]


def variable(action: argparse.Action) -> str:
    """Return the name of an option's variable."""
    return _NAMED.get(action.dest, ORDERS + action.dest.upper())
