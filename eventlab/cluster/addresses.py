"""Addresses of brokers, as clients of Kafka are given them: `host:port`, several with commas."""

from __future__ import annotations

import re
from collections.abc import Sequence

from eventlab.errors import InvalidSetting, shown

_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+):(\d{1,5})")


def parse(given: object) -> list[str]:
    """Return addresses of brokers, given as a list or separated by commas; InvalidSetting."""
    texts = given.split(",") if isinstance(given, str) else given
    if isinstance(texts, Sequence) and texts and all(map(_is_address, texts)):
        return [text.strip() for text in texts]
    raise InvalidSetting(
        "These are no addresses of brokers.",
        f"You gave {shown(given)}.",
        "Give some such as '127.0.0.1:9092', or cluster.bootstrap_servers.",
    )


def split(address: str) -> tuple[str, int]:
    """Return host and port of one address; an IPv6 host without its brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def join(host: str, port: int) -> str:
    """Return the address of a host and a port; an IPv6 host gets brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_address(text: object) -> bool:
    found = _ADDRESS.fullmatch(text.strip()) if isinstance(text, str) else None
    return found is not None and 1 <= int(found[1]) <= 65535
