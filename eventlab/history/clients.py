"""Clients of the judge's own, which leave nothing behind, whether brokers answer or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from eventlab.cluster.clients import connected


@contextmanager
def opened(kind: Any, address: Mapping[str, Any], **config: Any) -> Iterator[Any]:
    """Give a client of kafka-python that is closed afterwards."""
    where = {name: address[name] for name in kind.DEFAULT_CONFIG.keys() & address.keys()}
    client = connected(kind, **where, **config)
    try:
        yield client
    finally:
        client.close()
