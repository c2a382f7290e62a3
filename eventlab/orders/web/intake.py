"""From a command to its event, and of the event to where it is safe: the one way in.

    Intake(store).accept(command, "O-1")                  # by the outbox: one SQL transaction
    Intake(store, direct.send).accept(command, "O-1")     # directly: returns when Kafka has it

REST and Socket.IO both come here. Everything here blocks, for a bounded time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from eventlab.errors import shown
from eventlab.orders import outbox
from eventlab.orders.events import Event
from eventlab.orders.store import Store
from eventlab.orders.web import requests
from eventlab.orders.web.errors import KeyOutstanding

Send = Callable[[Event], None]


class Intake:
    """Accepts commands: each becomes one event on its way to `topic`, or an EventlabError."""

    def __init__(self, store: Store, send: Send | None = None, topic: str = "orders") -> None:
        self.store = store
        self._send = send
        self._topic = topic
        self._outstanding: set[str] = set()
        self._lock = threading.Lock()

    def accept(self, command: Any, order_id: str, new: bool = False, key: str = "") -> Event:
        """Return the event of a command when it is in the topic, or in the outbox.

        With a key that came before it is the event of then, byte for byte; KeyReused when it came
        with another request. An order that is `new` gets its id from us, so it is not compared.
        """
        asked = requests.fingerprint("" if new else order_id, command)
        with self._once(key):
            if self._send is None:
                return self._by_outbox(command, order_id, key, asked)
            return self._directly(self._send, command, order_id, key, asked)

    def _by_outbox(self, command: Any, order_id: str, key: str, asked: str) -> Event:
        with self.store.transaction() as db:
            kept = self._event(db, command, order_id, key, asked, sent=True)
            if not kept.sent:
                outbox.add(db, kept.event, topic=self._topic)
            return kept.event

    def _directly(self, send: Send, command: Any, order_id: str, key: str, asked: str) -> Event:
        # The key is kept before the event is sent: whoever is killed in between sends it again.
        with self.store.transaction() if key else self.store.reading() as db:
            kept = self._event(db, command, order_id, key, asked, sent=False)
        if not kept.sent:
            send(kept.event)
            if key:
                with self.store.transaction() as db:
                    requests.note_sent(db, key)
        return kept.event

    def _event(
        self, db: Connection, command: Any, order_id: str, key: str, asked: str, sent: bool
    ) -> requests.Kept:
        kept = requests.find(db, key, asked) if key else None
        if kept is not None:
            return kept
        event = command.event(order_id, db)
        if key:
            requests.keep(db, key, asked, event, sent)
        return requests.Kept(event, sent=False)

    @contextmanager
    def _once(self, key: str) -> Iterator[None]:
        """Let one request of a key in at a time, here and, by the table, in other processes."""
        if not key:
            yield
            return
        with self._lock:
            if key in self._outstanding:
                raise _outstanding(key)
            self._outstanding.add(key)
        try:
            yield
        except IntegrityError:  # another process has inserted this key meanwhile
            raise _outstanding(key) from None
        finally:
            with self._lock:
                self._outstanding.discard(key)


def _outstanding(key: str) -> KeyOutstanding:
    return KeyOutstanding(
        "A request is outstanding for this Idempotency-Key.",
        f"It is {shown(key)}.",
        "Wait for the answer of the first one, or send it again later.",
    )
