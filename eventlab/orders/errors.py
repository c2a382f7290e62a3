"""What can be wrong with a value of the order domain, or with an event of it.

Whoever reads events of others catches `DomainError`: the record is no use, and another try would
not help. All of them tell what happened, the value seen, and what to do next.
"""

from __future__ import annotations

from eventlab.errors import EventlabError


class DomainError(EventlabError, ValueError):
    """A value that no order, payment or shipment can have, told in three short sentences."""


class EventValidationError(DomainError):
    """A field is missing or cannot hold this value; `field` says which, as `items[2].quantity`."""

    def __init__(self, what: str, seen: str, fix: str, field: str = "") -> None:
        super().__init__(what, seen, fix)
        self.field = field

    def inside(self, place: str) -> EventValidationError:
        """Return this error as it reads from further out: `quantity` inside `items[2].`."""
        what, seen, fix = self.args  # the first sentence begins with the name of the field
        return EventValidationError(place + what, seen, fix, place + self.field)


class EventEncodeError(DomainError):
    """A value has no place in JSON; `path` says where it is, "" for the whole."""

    def __init__(self, what: str, seen: str, fix: str, path: str = "") -> None:
        super().__init__(what, seen, fix)
        self.path = path


class EventDecodeError(DomainError):
    """The bytes of a record are no JSON that is safe to read, or no event."""


class UnknownEventType(DomainError):
    """The event is of a type that this version of the shop does not know: `type`."""

    def __init__(self, what: str, seen: str, fix: str, type: str = "") -> None:  # noqa: A002
        super().__init__(what, seen, fix)
        self.type = type


class EventVersionError(DomainError):
    """The event is of a version that cannot be read here."""


class EventConflict(DomainError):
    """Two events that are not the same have one id."""


class StepNotAllowed(DomainError):
    """The event does not follow from where its order stands: one before it may be missing."""
