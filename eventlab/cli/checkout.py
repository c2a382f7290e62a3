"""`eventlab test`, `bench`, `build`: what one does in a checkout of the project."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import eventlab
from eventlab import lessons
from eventlab.cluster import launch
from eventlab.errors import InvalidSetting, NotSupported


def root() -> Path:
    """Return the checkout that this package runs from; NotSupported when it is installed."""
    folder = Path(eventlab.__file__).parent.parent
    if not (folder / "lessons").is_dir():
        raise NotSupported(
            "This command needs a checkout of the project.",
            f"eventlab is installed in {folder}.",
            "Clone the repository and type `./lab test` or `./lab bench` there.",
        )
    return folder


def test(options: argparse.Namespace) -> int:
    """Run pytest in the checkout, after fetching and preparing what its clusters need."""
    launch.requirements()
    return subprocess.run([sys.executable, "-m", "pytest", *options.pytest], cwd=root()).returncode


def bench(options: argparse.Namespace) -> int:
    """Run one benchmark, those whose names begin with a word and "_", or all."""
    folder = root() / "benchmarks"
    names = sorted(path.stem for path in folder.glob("[a-z]*.py") if path.stem != "figures")
    wanted = options.figure
    chosen = [name for name in names if not wanted or f"{name}_".startswith(f"{wanted}_")]
    if not chosen:
        raise InvalidSetting(
            "There is no such benchmark.",
            f"You gave {options.figure!r}.",
            f"Use one of: {', '.join(names)}.",
        )
    arguments = ["--json"] if options.json else []
    arguments += ["--runs", str(options.runs)] if options.runs else []
    runs = [[sys.executable, str(folder / f"{name}.py"), *arguments] for name in chosen]
    return max(subprocess.run(run, cwd=root()).returncode for run in runs)


def build(options: argparse.Namespace) -> int:
    """Make the notebooks from the lessons, or say which are not current."""
    source, target = root() / "lessons", root() / "notebooks"
    if not options.check:
        lessons.build(source, target)
        return 0
    differences = lessons.check(source, target)
    for difference in differences:
        print(difference)
    return 1 if differences else 0
