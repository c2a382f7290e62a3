"""The whole web side as one ASGI application: REST, Socket.IO, the page, health and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import socketio
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route

from eventlab.errors import EventlabError, InvalidSetting, shown
from eventlab.orders.store import Store
from eventlab.orders.web import page, problems
from eventlab.orders.web.access import Access
from eventlab.orders.web.desk import Desk
from eventlab.orders.web.direct import Direct
from eventlab.orders.web.feed import Feed
from eventlab.orders.web.guard import Guard
from eventlab.orders.web.intake import Intake
from eventlab.orders.web.limits import Buckets
from eventlab.orders.web.metrics import TEXT, Metrics
from eventlab.orders.web.problems import Problem
from eventlab.orders.web.rest import add_routes, fields_of
from eventlab.orders.web.sockets import Sockets

RATE = 50.0  # requests of one client in a second


class OrderApi:
    """An ASGI application; `serve` runs it, tests call it.

    A command is answered when Kafka has acknowledged its event; with `outbox=True`, when it is in
    the outbox of the store, from where a relay publishes. Without `bootstrap_servers` there is the
    outbox alone, and nobody is told of later events. `rate` is how many requests a second one
    client may make. Without a `token` each start makes one; several APIs behind one address need
    the same. `security` is what clients of kafka-python have to know to talk to the brokers. The
    store stays the caller's, who closes it.
    """

    def __init__(
        self,
        store: Store,
        bootstrap_servers: str | None = None,
        *,
        outbox: bool = False,
        topic: str = "orders",
        rate: float = RATE,
        token: str | None = None,
        **security: Any,
    ) -> None:
        if not isinstance(store, Store):
            seen = f"You gave {shown(store)}."
            raise InvalidSetting("The orders have no store.", seen, "Pass Store('shop.db').")
        self.access = Access(token)
        self._metrics, buckets = Metrics(), Buckets(rate)
        self._direct = None
        if bootstrap_servers and not outbox:
            self._direct = Direct(bootstrap_servers, topic, **security)
        send = self._direct.send if self._direct else None
        self._desk = Desk(Intake(store, send, topic), self._metrics)
        self._sockets = Sockets(self._desk, self.access, buckets, self._metrics)
        self.feed = self._feed(bootstrap_servers, topic, **security) if bootstrap_servers else None
        self.app = self._fastapi()
        both = socketio.ASGIApp(self._sockets.server, other_asgi_app=self.app)
        self._guarded = Guard(both, self.access, buckets, self._metrics)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, as ASGI 3 has it."""
        await self._guarded(scope, receive, send)

    def _feed(self, servers: str, topic: str, **security: Any) -> Feed:
        def deliver(event: dict[str, Any]) -> None:
            asyncio.run_coroutine_threadsafe(self._sockets.tell(event), self._loop)

        return Feed(servers, self._sockets.followed, deliver, topic, **security)

    @asynccontextmanager
    async def _life(self, app: FastAPI) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        if self.feed:
            self.feed.start()
        try:
            yield
        finally:
            if self.feed:
                await asyncio.to_thread(self.feed.stop)
            await self._sockets.close()
            await self._desk.close()
            if self._direct:
                await asyncio.to_thread(self._direct.close)

    def _fastapi(self) -> FastAPI:
        app = FastAPI(
            title="The shop of eventlab",
            description="Commands in, events out: each POST becomes one CloudEvent on Kafka.",
            version="1.0.0",
            license_info={"name": "Apache-2.0"},
            docs_url=None,  # they would load their scripts from somebody else's server
            redoc_url=None,
            redirect_slashes=False,
            lifespan=self._life,
        )
        _add_problems(app)
        add_routes(app, self._desk)
        self._add_operations(app)
        page.add_routes(app)
        return app

    def _add_operations(self, app: FastAPI) -> None:
        @app.get("/health/live", include_in_schema=False)
        async def live() -> Response:
            return JSONResponse({"status": "pass"})

        @app.get("/health/ready", include_in_schema=False)
        async def ready() -> Response:
            found = {"sql": await self._sql_answers()}
            if self.feed:
                found["kafka"] = self.feed.kafka_answers
            needed = [found["sql"], found.get("kafka", True) or not self._direct]
            status = "pass" if all(needed) else "fail"
            return JSONResponse({"status": status, **found}, 200 if all(needed) else 503)

        @app.get("/metrics", include_in_schema=False)
        async def metrics() -> Response:
            return Response(self._metrics.text(), media_type=TEXT)

        @app.post("/session", include_in_schema=False)
        async def session(request: Request) -> Response:
            token = self.access.exchange(fields_of(await request.body()).get("code"))
            if token is None:
                raise Problem(403, "The code was used, or is too old: ask for a new address.")
            return JSONResponse({"token": token})

    async def _sql_answers(self) -> bool:
        try:
            return await self._desk.run(self._desk.store.answers)
        except EventlabError:
            return False


def _add_problems(app: FastAPI) -> None:
    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, EventlabError)
        return problems.response(problems.problem_of(error))

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return problems.response(error)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = {"Allow": _allowed(app, request)} if error.status_code == 405 else None
        return problems.response(Problem(error.status_code, headers=headers))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        name = str(first["loc"][-1])
        return problems.response(Problem(422, f"{name}: {first['msg']}.", field=name))

    async def unexpected(request: Request, error: Exception) -> Response:
        return problems.response(Problem(500))

    app.add_exception_handler(EventlabError, ours)
    app.add_exception_handler(Problem, refused)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unexpected)


def _allowed(app: FastAPI, request: Request) -> str:
    """Return the methods of all routes of a path; Starlette names those of the first alone."""
    found: set[str] = set()
    for route in app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return ", ".join(sorted(found))
