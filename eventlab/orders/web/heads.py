"""HTTP/1.1 as uvicorn speaks it, to which heads of requests have to come in time.

uvicorn waits for the next request of a client for a few seconds, but for ever for the first one,
and for the rest of one that has begun.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from eventlab.waiting import Deadline

WITHIN = 5.0  # seconds from the connection, or from the first byte of a later head
MOST_CONNECTIONS = 512  # a process may have 1,024 files open, and has a database and Kafka too


class Heads(H11Protocol):
    """A connection that is closed when the head of a request is late, or others are too many."""

    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Await the first head."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.close()
        self._await()

    def data_received(self, data: bytes) -> None:
        """Await what is missing of a head."""
        super().data_received(data)
        self._await()

    def connection_lost(self, exc: Exception | None) -> None:
        """Await nothing."""
        self._forget()
        super().connection_lost(exc)

    def _await(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._forget()
        elif self._due is None:
            late = Deadline(WITHIN).left
            self._due = self.loop.call_later(late, self.timeout_keep_alive_handler)

    def _forget(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
