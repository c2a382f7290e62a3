"""What another try may cure; a `DomainError` is not among it."""

from __future__ import annotations

from eventlab.errors import EventlabError


class NotYet(EventlabError):
    """What the event builds on is not in the tables; it may be on its way in another partition."""
