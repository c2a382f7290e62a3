"""What every request passes before anything is done for it, as ASGI around the whole application.

The name of the host and the origin (DNS rebinding, other sites), the client's rate, how many are
under way, the token, the size of the body and the time for it, the time for all of it. The body is
read whole, and so nothing behind this meets one that is large or slow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.datastructures import Headers

from eventlab.orders.web.access import Access
from eventlab.orders.web.limits import Buckets
from eventlab.orders.web.metrics import Metrics
from eventlab.orders.web.packets import checked
from eventlab.orders.web.problems import Problem, busy, response
from eventlab.waiting import Deadline

Scope = Any  # as ASGI has them: dicts and coroutines
Receive = Any
Send = Any

MOST_BYTES = 64 * 1024
_MOST_READ = 16 * MOST_BYTES  # a client that is still sending would not see why it was refused
MOST_REQUESTS = 64
MOST_SOCKETS = 256
BODY_WITHIN = 5.0  # seconds
ANSWER_WITHIN = 15.0
WELCOME_WITHIN = 10.0
SOCKETS = "/socket.io/"
WELCOME = "eventlab.welcome"  # in the scope of a socket: set when its client has shown the token

OPEN = frozenset(
    {
        *("/", "/page.css", "/page.js", "/socketio.js", "/docs", "/openapi.json"),
        *("/session", "/health/live", "/health/ready"),
    }
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        b"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
)
_UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade"}
_CLOSE = {"Connection": "close"}  # what is left of the body is no next request


class Guard:
    """An ASGI application that lets through to another one what may come in."""

    def __init__(self, app: Any, access: Access, buckets: Buckets, metrics: Metrics) -> None:
        self._app = app
        self._access = access
        self._buckets = buckets
        self._metrics = metrics
        self._under_way = {"http": 0, "websocket": 0}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or pass on."""
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, status = time.monotonic(), 0

        async def tell(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        try:
            await self._pass(scope, receive, tell)
        except Problem as problem:
            if not status:  # else it was half answered, and the server ends the connection
                await response(problem)(scope, receive, tell)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.answered(scope["method"], route, status, time.monotonic() - begun)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._check(scope)
        with self._counted("http", MOST_REQUESTS):
            if scope["path"].startswith(SOCKETS):
                raise Problem(426, "Socket.IO is by WebSocket alone here.", _UPGRADE)
            self._check_token(scope)
            body = await _body(Headers(scope=scope), receive)
            deadline = Deadline(ANSWER_WITHIN).left
            try:
                async with asyncio.timeout(deadline) as waiting:
                    await self._app(scope, _replayed(body, receive), send)
            except TimeoutError:
                if waiting.expired():
                    raise busy(f"There was no answer within {deadline:.0f} seconds.") from None
                raise

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check(scope)
            with self._counted("websocket", MOST_SOCKETS):
                if not scope["path"].startswith(SOCKETS):
                    raise Problem(404)
                scope[WELCOME] = asyncio.Event()
                await self._app(scope, checked(receive, scope[WELCOME], WELCOME_WITHIN), send)
        except Problem:
            await receive()  # websocket.connect: closed before it is accepted, it is a 403
            await send({"type": "websocket.close", "code": 1008})

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._access.named(host):
            raise Problem(421, "This server is not asked by that name of a host.")
        if origin is not None and not self._access.same_origin(origin, host):
            raise Problem(403, "Pages of other origins may not ask this server.")
        if scope["path"].startswith("/health/"):
            return
        wait = self._buckets.wait((scope.get("client") or ("unknown",))[0])
        if wait:
            raise busy("You ask too often.", 429, wait)

    def _check_token(self, scope: Scope) -> None:
        if scope["path"] in OPEN:
            return
        if not self._access.bearer(Headers(scope=scope).get("authorization", "")):
            fix = "Send the token of this start as `Authorization: Bearer ...`."
            raise Problem(401, fix, {"WWW-Authenticate": 'Bearer realm="orders"'})

    @contextmanager
    def _counted(self, kind: str, most: int) -> Iterator[None]:
        if self._under_way[kind] >= most:
            raise busy(f"{most} others are being answered.")
        self._under_way[kind] += 1
        try:
            yield
        finally:
            self._under_way[kind] -= 1


async def _body(headers: Headers, receive: Receive) -> bytes:
    """Return the whole body; one that is too large or too slow is a Problem."""
    if int(headers.get("content-length", "0")) > _MOST_READ:
        raise _too_large()
    body, size, more = bytearray(), 0, True
    try:
        async with asyncio.timeout(Deadline(BODY_WITHIN).left):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem(400, "The body ended before its end.")
                chunk = message.get("body", b"")
                size, more = size + len(chunk), message.get("more_body", False)
                if size <= MOST_BYTES:
                    body += chunk
                if size > _MOST_READ:
                    break
    except TimeoutError:
        late = f"The body was not there within {BODY_WITHIN:.0f} seconds."
        raise Problem(408, late, _CLOSE) from None
    if size > MOST_BYTES:
        raise _too_large()
    return bytes(body)


def _too_large() -> Problem:
    return Problem(413, f"A body has at most {MOST_BYTES:,} bytes.", _CLOSE)


def _replayed(body: bytes, receive: Receive) -> Receive:
    told = False

    async def replayed() -> Any:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
