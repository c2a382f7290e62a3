"""What can become of an event before any handler sees it."""

from __future__ import annotations

from eventlab.orders.errors import DomainError


class KeyParked(DomainError):
    """An event of the same key waits in the dead-letter topic, and this one comes after it."""
