"""The admin client of a cluster whose brokers come and go."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from eventlab.cluster import ready
from eventlab.errors import NeverHappened
from eventlab.waiting import Deadline

T = TypeVar("T")

WITHIN = 15.0  # seconds that a question may take, whatever happens to brokers meanwhile
ONCE = 4.0  # seconds for one try: a frozen broker is out of the cluster after 3


class Admin:
    """A KafkaAdminClient that is opened when first asked for and renewed when it is stuck.

    `serving` returns the brokers that run, by node_id, with their addresses: a client that tries a
    frozen broker first waits for it in vain. `security` says how to talk to them.

    kafka-python sends changes of topics to the broker that it once took for the controller (with
    KRaft any one, KIP-590: brokers forward them) and keeps to it when that broker is gone.
    """

    def __init__(
        self, serving: Callable[[], dict[int, str]], security: Mapping[str, Any] | None = None
    ) -> None:
        self.serving, self._security = serving, security or {}
        self._opened: tuple[int, Any] | None = None

    @property
    def client(self) -> Any:
        """The client itself; a forked process gets one of its own, a fork having no IO thread."""
        if self._opened is None or self._opened[0] != os.getpid():
            addresses = ",".join(self.serving().values())
            made = ready.admin_client(addresses, Deadline(ONCE), ONCE, **self._security)
            self._opened = os.getpid(), made
        return self._opened[1]

    def ask(self, question: Callable[[Any], T], what: str) -> T:
        """Return what `question` makes of the client, asked again while its broker is gone.

        NeverHappened, which says `what` was asked, when no broker answers in time. The question
        may be put twice, so it must be one that can be.
        """
        from kafka.errors import KafkaError, UnknownBrokerIdError

        deadline = Deadline(WITHIN)
        while True:
            try:
                return question(self.client)
            except KafkaError as error:
                if not (error.retriable or isinstance(error, UnknownBrokerIdError)):
                    raise
                seen = type(error).__name__
            self.close()
            if not deadline.left:
                raise NeverHappened(
                    f"{what} was not answered in {deadline.seconds:.0f} seconds.",
                    f"The last thing seen was {seen}.",
                    "Look at the cluster itself: which brokers run?",
                )

    def close(self) -> None:
        """Close the client of this process; the next question opens another."""
        if self._opened and self._opened[0] == os.getpid():
            self._opened[1].close()
        self._opened = None
