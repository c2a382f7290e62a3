"""Clients of kafka-python that leave nothing behind, and help where it does wrong."""

from __future__ import annotations

import logging
from typing import Any


def quiet() -> None:
    """Keep kafka-python's warnings out of cells, unless the learner has set up logging."""
    # Without any handler Python prints warnings to stderr, from an IO thread, into any cell.
    logger = logging.getLogger("kafka")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def connected(kind: Any, **config: Any) -> Any:
    """Return a client of this class; when its constructor raises, its thread and sockets end.

    A constructor of kafka-python 3.0.12 that gives up leaves them, hence the network is made here,
    where it can be closed. Whoever asks for the client closes it.
    """
    quiet()
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


def outlive_refusals(producer: Any) -> None:
    """Let an idempotent producer go on when a broker has refused a batch for good.

    One record that is too large for its topic is enough: kafka-python 3.0.12 takes the answer for
    fatal, whatever is on its way fails with it, and all that is sent later. Its own comment says
    that only the batch fails. A new epoch (KIP-360) closes the gap that the batch has left in the
    sequence numbers.
    """
    manager = producer._transaction_manager
    classify = manager.classify_batch_error

    def kinder(error: Any, batch: Any, log_start_offset: int = -1) -> str:
        outcome: str = classify(error, batch, log_start_offset=log_start_offset)
        kind = error if isinstance(error, type) else type(error)
        meant = outcome != manager.ERROR_CLASS_FATAL or kind in manager._FATAL_ERRORS
        return outcome if meant else str(manager.ERROR_CLASS_NEEDS_EPOCH_BUMP)

    manager.classify_batch_error = kinder
