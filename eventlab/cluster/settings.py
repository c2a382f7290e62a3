"""What may be asked of a cluster, checked before anything is started."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eventlab import environment
from eventlab.errors import InvalidSetting, shown

PROFILES = ("lab", "stock", "small")
BACKENDS = ("embedded", "compose", "testcontainers", "external")
TOPOLOGIES = ("dedicated", "combined")  # a controller of its own; every node both
MOST_BROKERS = 9
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_KEY = re.compile(r"[a-z][a-z0-9.]{2,120}")
# Written by eventlab itself: another value would make a node that the cluster cannot find.
_OURS = re.compile(
    r"(process\.roles|node\.id|broker\.id|cluster\.id|(advertised\.)?listeners|log\.dirs?"
    r"|metadata\.log\.dir|listener\.security\.protocol\.map|inter\.broker\.listener\.name"
    r"|controller\.(quorum\.(voters|bootstrap\.servers)|listener\.names))"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a cluster; those left out (None) are whatever a running cluster has."""

    name: str = "lab"
    brokers: int | None = None
    profile: str | None = None
    properties: Mapping[str, str | int | bool] = field(default_factory=dict)
    port: int | None = None
    data: str | os.PathLike[str] | None = None
    topology: str | None = None
    backend: str | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        _check_choice("profile", self.profile, PROFILES)
        _check_brokers(self.brokers, self.profile)
        _check_properties(self.properties)
        _check_port(self.port)
        _check_data(self.data)
        _check_choice("topology", self.topology, TOPOLOGIES)
        _check_topology(self.topology, self.profile)
        _check_choice("backend", self.backend, BACKENDS)

    def resolved(self) -> Settings:
        """Return these settings with every default filled in."""
        profile = self.profile or environment.value("EVENTLAB_PROFILE") or "lab"
        brokers = self.brokers or (1 if profile == "small" else 3)
        data = str(Path(self.data).expanduser().absolute()) if self.data else None
        texts = {key: _text(value) for key, value in self.properties.items()}
        topology = self.topology or ("combined" if profile == "small" else "dedicated")
        backend = self.backend or environment.value("EVENTLAB_BACKEND") or "embedded"
        return Settings(self.name, brokers, profile, texts, self.port, data, topology, backend)

    def asked(self) -> dict[str, Any]:
        """Return only what was asked for, to compare with a running cluster."""
        resolved = asdict(self.resolved())
        return {
            key: resolved[key] for key, value in asdict(self).items() if value not in (None, {})
        }


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def check_name(name: object) -> None:
    """Refuse what cannot name a cluster, and its folder."""
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        raise InvalidSetting(
            "A cluster cannot have this name.",
            f"You gave {shown(name)}.",
            "Use 1 to 40 lower-case letters, digits and '-', such as name='lab-2'.",
        )


def _check_choice(what: str, given: object, known: tuple[str, ...]) -> None:
    """Refuse what is none of these, given or, when nothing is, told by its variable."""
    variable = f"EVENTLAB_{what.upper()}"
    told = variable in environment.KNOWN and given is None
    named = environment.value(variable) if told else None
    chosen = named or given
    if chosen is not None and chosen not in known:
        raise InvalidSetting(
            f"There is no such {what}.",
            f"{variable} is {shown(named)}." if named else f"You gave {shown(given)}.",
            f"Use one of: {', '.join(known)}.",
        )


def _check_brokers(brokers: object, profile: object) -> None:
    if brokers is None:
        return
    if type(brokers) is not int or not 1 <= brokers <= MOST_BROKERS:
        raise InvalidSetting(
            "A cluster cannot have this many brokers.",
            f"You gave {shown(brokers)}.",
            f"Use a whole number from 1 to {MOST_BROKERS}, such as brokers=3.",
        )
    if (profile or environment.value("EVENTLAB_PROFILE")) == "small" and brokers != 1:
        raise InvalidSetting(
            "The profile 'small' is a single node.",
            f"You gave brokers={brokers}.",
            "Leave brokers out, or use profile='lab'.",
        )


def _check_properties(properties: object) -> None:
    if not isinstance(properties, Mapping):
        raise InvalidSetting(
            "The properties of a broker come as a dict.",
            f"You gave {shown(properties)}.",
            "Use properties={'log.retention.ms': 60000}.",
        )
    for key, value in properties.items():
        _check_property(key, value)


def _check_property(key: object, value: object) -> None:
    if not (isinstance(key, str) and _KEY.fullmatch(key)):
        raise InvalidSetting(
            "This is not the name of a broker property.",
            f"You gave {shown(key)}.",
            "Use Kafka's own name, such as 'log.retention.ms'.",
        )
    if _OURS.fullmatch(key):
        raise InvalidSetting(
            f"eventlab sets {key} itself.",
            f"You gave {shown(value)}.",
            "Leave it out; brokers=, port= and data= choose what can be chosen.",
        )
    if not (isinstance(value, str) and value.isprintable()) and not _is_number(value):
        raise InvalidSetting(
            f"{key} cannot have this value.",
            f"You gave {shown(value)}.",
            "Use a str, an int or a bool on one line.",
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int) and -(2**63) <= value < 2**63  # the widest that Kafka knows


def _check_port(port: object) -> None:
    if port is None:
        return
    if type(port) is not int or not 1024 <= port <= 65535 - MOST_BROKERS:
        raise InvalidSetting(
            "Brokers cannot listen on this port.",
            f"You gave {shown(port)}.",
            f"Use a whole number from 1024 to {65535 - MOST_BROKERS}, such as port=19092.",
        )


def _check_data(data: object) -> None:
    if data is not None and not _is_path(data):
        raise InvalidSetting(
            "This is not the name of a data folder.",
            f"You gave {shown(data)}.",
            "Use a str or a Path without ',', at which Kafka would split it.",
        )


def _is_path(data: object) -> bool:
    text = os.fspath(data) if isinstance(data, str | os.PathLike) else None
    if not isinstance(text, str) or not text.strip() or not text.isprintable():
        return False
    try:
        return "," not in str(Path(text).expanduser().absolute())
    except RuntimeError:  # "~name" of nobody
        return False


def _check_topology(topology: object, profile: object) -> None:
    if topology is None:
        return
    if (profile or environment.value("EVENTLAB_PROFILE")) == "small" and topology != "combined":
        raise InvalidSetting(
            "The profile 'small' is a single node in both roles.",
            f"You gave topology={topology!r}.",
            "Leave topology out, or use profile='lab'.",
        )
