"""One command of the command line: its help, an example of each use, what it runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

Run = Callable[[argparse.Namespace], "int | None"]


def add(
    commands: Commands, name: str, run: Run, what: str, *examples: str, of: str = "eventlab"
) -> argparse.ArgumentParser:
    """Add a command that calls `run(options)`; the examples are what follows the name `of`."""
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=what,
        description=what[0].upper() + what[1:] + ".",
        epilog="example:" + "".join(f"\n  {of} {example}" for example in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command
