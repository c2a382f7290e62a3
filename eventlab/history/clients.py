"""Clients of the judge's own, which leave nothing behind, whether brokers answer or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from eventlab.cluster import ready


@contextmanager
def opened(kind: Any, address: Mapping[str, Any], **config: Any) -> Iterator[Any]:
    """Give a client of kafka-python that is closed afterwards.

    A constructor of kafka-python 3.0.12 that gives up leaves its network thread and its sockets,
    hence they are made here, where they can be closed.
    """
    ready.quiet_client()
    networks = []

    def network(**given: Any) -> Any:
        networks.append(kind.DEFAULT_CONFIG["kafka_client"](**given))
        return networks[-1]

    where = {name: address[name] for name in kind.DEFAULT_CONFIG.keys() & address.keys()}
    try:
        client = kind(**where, **config, kafka_client=network)
    except BaseException:
        for made in networks:
            made.close()
        raise
    try:
        yield client
    finally:
        client.close()
