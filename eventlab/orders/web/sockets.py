"""The Socket.IO way in: place an order, and be told of all that happens to it from then on.

    client.connect(url, auth={"token": token}, transports=["websocket"])
    client.call("place_order", {"customer_id": "C-1", "items": [...]})  # {order_id, event_id}
    client.call("follow", "O-1")                                        # {order}, as it is now
    client.on("event", ...)  # {type, event_id, order_id, data, time, partition, offset}

What is refused is acknowledged with {problem}, in the form that REST has. Only WebSocket: with long
polling, bodies of anybody would be kept here before the token was shown.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import socketio
from socketio.exceptions import ConnectionRefusedError as Refused

from eventlab.errors import EventlabError, shown
from eventlab.orders import wire
from eventlab.orders.errors import EventValidationError
from eventlab.orders.values import check_id
from eventlab.orders.web import commands, problems, views
from eventlab.orders.web.access import Access
from eventlab.orders.web.desk import Desk
from eventlab.orders.web.errors import OrderNotFound
from eventlab.orders.web.guard import MOST_BYTES, WELCOME
from eventlab.orders.web.limits import Buckets
from eventlab.orders.web.metrics import Metrics

MOST_FOLLOWED = 1000  # orders of one client


class _Client(NamedTuple):
    address: str
    follows: set[str]


class Sockets:
    """The Socket.IO server; each order that somebody follows is a room."""

    def __init__(self, desk: Desk, access: Access, buckets: Buckets, metrics: Metrics) -> None:
        self._desk = desk
        self._access = access
        self._buckets = buckets
        self._metrics = metrics
        self._clients: dict[str, _Client] = {}  # by session
        self._followers: Counter[str] = Counter()  # by order
        self.server = socketio.AsyncServer(
            async_mode="asgi",
            transports=["websocket"],
            max_http_buffer_size=MOST_BYTES,
            cors_allowed_origins=[],  # the guard has looked at the origin
        )
        self.server.on("connect", self._connect)
        self.server.on("disconnect", self._disconnect)
        self.server.on("place_order", self._place_order)
        self.server.on("follow", self._follow)

    def followed(self, order_id: str) -> bool:
        """Say whether somebody follows an order; any thread may ask."""
        return order_id in self._followers

    async def tell(self, event: dict[str, Any]) -> None:
        """Tell an event to the clients in the room of its order."""
        await self.server.emit("event", event, room=event["order_id"])

    async def close(self) -> None:
        """End all connections and background tasks."""
        await self.server.shutdown()

    async def _connect(self, sid: str, environ: Any, auth: Any = None) -> None:
        scope = environ["asgi.scope"]
        token = auth.get("token") if isinstance(auth, dict) else None
        if not self._access.knows(token):
            raise Refused("Send the token of this start as auth: {token}.")
        scope[WELCOME].set()
        self._clients[sid] = _Client((scope.get("client") or ("unknown",))[0], set())
        self._metrics.connected.inc()

    async def _disconnect(self, sid: str, reason: Any = None) -> None:
        client = self._clients.pop(sid, None)
        if client is not None:
            self._metrics.connected.dec()
            for order_id in client.follows:
                self._forget(order_id)

    async def _place_order(self, sid: str, order: Any = None, key: Any = "") -> dict[str, Any]:
        order_id = commands.new_id("O")
        try:
            self._check_rate(sid)
            command = commands.command_of(commands.CreateOrder, _object(order))
            await self._enter(sid, order_id)  # before anything can happen to it
            event = await self._desk.accept(command, order_id, new=True, key=_key(key))
        except (EventlabError, problems.Problem) as error:
            await self._leave(sid, order_id)
            return {"problem": _problem(error).members}
        if event.key != order_id:  # of a key that came before
            await self._leave(sid, order_id)
            await self._enter(sid, event.key)
        return {"order_id": event.key, "event_id": event.event_id}

    async def _follow(self, sid: str, order_id: Any = None) -> dict[str, Any]:
        try:
            self._check_rate(sid)
            check_id("order_id", order_id)
            await self._enter(sid, order_id)
            return {"order": await self._desk.run(views.order, self._desk.store, order_id)}
        except OrderNotFound:
            return {"order": None}  # its events are still to come
        except (EventlabError, problems.Problem) as error:
            return {"problem": _problem(error).members}

    def _check_rate(self, sid: str) -> None:
        client = self._clients.get(sid)
        if client is None:
            raise problems.Problem(401, "The connection has ended.")
        wait = self._buckets.wait(client.address)
        if wait:
            raise problems.busy("You ask too often.", 429, wait)

    async def _enter(self, sid: str, order_id: str) -> None:
        client = self._clients.get(sid)
        if client is None or order_id in client.follows:
            return
        if len(client.follows) >= MOST_FOLLOWED:
            raise problems.busy(f"You follow {MOST_FOLLOWED} orders already.", 429, 60)
        client.follows.add(order_id)
        self._followers[order_id] += 1
        await self.server.enter_room(sid, order_id)

    async def _leave(self, sid: str, order_id: str) -> None:
        client = self._clients.get(sid)
        if client is not None and order_id in client.follows:
            client.follows.remove(order_id)
            self._forget(order_id)
            await self.server.leave_room(sid, order_id)

    def _forget(self, order_id: str) -> None:
        self._followers[order_id] -= 1
        if not self._followers[order_id]:
            del self._followers[order_id]


def _object(value: Any) -> dict[str, Any]:
    return wire.as_object(value)  # `packets` has looked at its JSON


def _key(key: Any) -> str:
    if (
        isinstance(key, str)
        and len(key) <= 200
        and key.isascii()
        and (not key or key.isprintable())
    ):
        return key
    seen = f"You gave {shown(key)}."
    fix = "Send up to 200 printable ASCII characters."
    raise EventValidationError("The idempotency key cannot be this.", seen, fix, field="key")


def _problem(error: EventlabError | problems.Problem) -> problems.Problem:
    return error if isinstance(error, problems.Problem) else problems.problem_of(error)
