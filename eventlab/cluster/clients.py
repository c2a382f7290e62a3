"""Clients of kafka-python that leave nothing behind when nobody answers them."""

from __future__ import annotations

from typing import Any

from eventlab.cluster import ready


def connected(kind: Any, **config: Any) -> Any:
    """Return a client of this class; when its constructor raises, its thread and sockets end.

    A constructor of kafka-python 3.0.12 that gives up leaves them, hence the network is made here,
    where it can be closed. Whoever asks for the client closes it.
    """
    ready.quiet_client()
    networks: list[Any] = []

    def network(**given: Any) -> Any:
        networks.append(kind.DEFAULT_CONFIG["kafka_client"](**given))
        return networks[-1]

    try:
        return kind(**config, kafka_client=network)
    except BaseException:
        for made in networks:
            made.close()
        raise


def give_out_again(consumer: Any) -> None:
    """Let the next `poll` give out what was fetched of a partition before it was paused.

    Whoever pauses and resumes calls this before each poll. kafka-python 3.0.12 puts such records
    aside until their place is free, and leaves an empty batch in that place: without this a
    partition that was resumed may give nothing ever again.
    """
    fetcher = consumer._fetcher
    if not fetcher._next_partition_records:
        fetcher._next_partition_records = None
