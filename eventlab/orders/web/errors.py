"""What can be wrong with a request, beyond what the domain and the store refuse."""

from __future__ import annotations

from eventlab.errors import EventlabError


class OrderNotFound(EventlabError, LookupError):
    """The tables have no such order; it may be on its way to them."""


class OrderConflict(EventlabError):
    """What was asked for does not fit what the shop knows now."""


class KeyReused(EventlabError):
    """An Idempotency-Key came again with another request."""


class KeyOutstanding(EventlabError):
    """The first request with this Idempotency-Key is still under way."""


class TooSlow(EventlabError, TimeoutError):
    """Kafka or the database did not answer in time; what became of the request is not known."""


class ServerNotStarted(EventlabError):
    """The server could not be started, or did not stop in time."""
