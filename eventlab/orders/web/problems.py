"""Whatever is wrong, in the one form of RFC 9457: application/problem+json, never a traceback.

`title` is what happened and `detail` all three sentences of an `EventlabError`; a field that is
wrong is named as `field`. What has no more to say than its status has the type about:blank.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse, Response

from eventlab.errors import EventlabError, UnknownTopic
from eventlab.orders.errors import DomainError, EventDecodeError, EventValidationError
from eventlab.orders.publisher.errors import (
    EventTooLarge,
    KafkaAway,
    NotDelivered,
    PublisherClosed,
)
from eventlab.orders.store.errors import StoreAway
from eventlab.orders.web.errors import (
    KeyOutstanding,
    KeyReused,
    OrderConflict,
    OrderNotFound,
    TooSlow,
)

MEDIA_TYPE = "application/problem+json"
TYPES = "https://eventlab.example/problems/"
_ONCE = "Send the request again with the same Idempotency-Key: it happens once."
AGAIN = 2  # seconds after which a client may ask again

_STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (  # the first that fits
    (EventDecodeError, HTTPStatus.BAD_REQUEST),
    (OrderNotFound, HTTPStatus.NOT_FOUND),
    (OrderConflict, HTTPStatus.CONFLICT),
    (KeyOutstanding, HTTPStatus.CONFLICT),
    (KeyReused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DomainError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (EventTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    *((kind, HTTPStatus.SERVICE_UNAVAILABLE) for kind in (StoreAway, KafkaAway, NotDelivered)),
    *((kind, HTTPStatus.SERVICE_UNAVAILABLE) for kind in (UnknownTopic, PublisherClosed, TooSlow)),
)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "field": {"type": "string"},
    },
    "required": ["type", "title", "status"],
}


class Problem(Exception):
    """An answer that says what is wrong."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        **more: str,
    ) -> None:
        super().__init__(status, detail)
        self.status = HTTPStatus(status)
        self.headers = dict(headers or {})
        self.members: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(status),
            **({"detail": detail} if detail else {}),
            **more,
        }


def problem_of(error: EventlabError) -> Problem:
    """Return the problem that an error is for whoever asked."""
    status = next((s for kind, s in _STATUS if isinstance(error, kind)), None)
    if status is None:  # it says something of us, not of the request
        return Problem(HTTPStatus.INTERNAL_SERVER_ERROR)
    headers = {"Retry-After": str(AGAIN)} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    more = {"type": TYPES + _kebab(type(error).__name__), "title": error.args[0]}
    if isinstance(error, EventValidationError) and error.field:
        more["field"] = error.field
    detail = str(error)
    if isinstance(error, NotDelivered):  # its own advice is for publishers
        detail = f"{error.args[0]} {error.args[1]} {_ONCE}"
    return Problem(status, detail, headers, **more)


def busy(
    detail: str, status: int = HTTPStatus.SERVICE_UNAVAILABLE, after: float = AGAIN
) -> Problem:
    """Return the problem of somebody who should ask again later."""
    return Problem(status, detail, {"Retry-After": str(max(1, round(after + 0.5)))})


def response(problem: Problem) -> Response:
    """Return the HTTP answer of a problem."""
    return JSONResponse(
        problem.members, problem.status, headers=problem.headers, media_type=MEDIA_TYPE
    )


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
