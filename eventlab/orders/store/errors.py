"""What can be wrong with a store."""

from __future__ import annotations

from eventlab.errors import EventlabError


class StoreAway(EventlabError):
    """The database cannot be reached, or somebody else holds a lock; nothing was changed."""


class StoreMismatch(EventlabError):
    """The database has tables that are not those of this version of the shop."""
