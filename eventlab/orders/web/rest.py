"""The REST way in: a command is a POST, answered 202 with where its effect can be seen.

What a body may be is said by the kinds of the command, once for the check and for OpenAPI.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Path, Query, Request
from fastapi.security import HTTPBearer
from starlette.responses import JSONResponse, Response

from eventlab.orders import wire
from eventlab.orders.domain import OrderStatus
from eventlab.orders.errors import EventDecodeError
from eventlab.orders.values import ID
from eventlab.orders.web import commands, problems, views
from eventlab.orders.web.desk import Desk

_JSON = "application/json"
_ID = f"^{ID.pattern}$"
_TOKEN = Depends(HTTPBearer(auto_error=False))  # for OpenAPI; the guard looks at it

OrderId = Annotated[str, Path(pattern=_ID, description="The unique id of the order.")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r'^("[!#-\[\]-~]{1,200}"|[!#-+\--\[\]-~]{1,200})$',
        description="With the same key the same request happens once, for a day "
        "(draft-ietf-httpapi-idempotency-key-header).",
    ),
]
Limit = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str | None, Query(pattern=_ID, description="The last id of the page before.")]
Customer = Annotated[str | None, Query(pattern=_ID)]

STEPS: dict[str, Any] = {
    "payments": commands.PayOrder,
    "shipments": commands.ShipOrder,
    "deliveries": commands.DeliverShipment,
    "cancellation": commands.CancelOrder,
    "refund": commands.RefundOrder,
}


EXAMPLES: dict[Any, dict[str, Any]] = {
    commands.CreateOrder: {
        "customer_id": "C-00042",
        "items": [{"product_id": "GRUMPY-TEAPOT", "quantity": 2}],
    },
    commands.PayOrder: {"amount": "79.80", "method": "card"},
    commands.ShipOrder: {"carrier": "Snail Express"},
    commands.DeliverShipment: {"shipment_id": "S-1"},
    commands.CancelOrder: {"reason": "The customer has changed their mind"},
    commands.RefundOrder: {"method": "card"},
}
_LINKS = {  # what can be asked of an order that was accepted
    name: {"operationId": name, "parameters": {"order_id": "$response.body#/order_id"}}
    for name in ("read_order", *STEPS)
}


def add_routes(app: FastAPI, desk: Desk) -> None:
    """Add all of `/orders` and `/products` to an application."""
    _add_create(app, desk)
    for name, kind in STEPS.items():
        _add_step(app, desk, name, kind)
    _add_reads(app, desk)


def _add_create(app: FastAPI, desk: Desk) -> None:
    async def create(request: Request, key: Key = None) -> Response:
        command = await _command(request, commands.CreateOrder)
        return _accepted(await desk.accept(command, commands.new_id("O"), new=True, key=_bare(key)))

    app.add_api_route("/orders", create, **_told("create_order", commands.CreateOrder))


def _add_step(app: FastAPI, desk: Desk, name: str, kind: Any) -> None:
    async def step(request: Request, order_id: OrderId, key: Key = None) -> Response:
        command = await _command(request, kind)
        return _accepted(await desk.accept(command, order_id, key=_bare(key)))

    app.add_api_route(f"/orders/{{order_id}}/{name}", step, **_told(name, kind, 404))


def _add_reads(app: FastAPI, desk: Desk) -> None:
    @app.get("/orders/{order_id}", **_read("read_order", views.SALE, 404))
    async def read_order(order_id: OrderId) -> Response:
        """Return an order as the tables have it, with its payments and shipments."""
        return JSONResponse(await desk.run(views.order, desk.store, order_id))

    @app.get("/orders", **_read("list_orders", views.ORDERS))
    async def list_orders(
        limit: Limit = 20,
        after: After = None,
        customer_id: Customer = None,
        status: OrderStatus | None = None,
    ) -> Response:
        """Return a page of orders by their ids; `next` is the `after` of the next one."""
        asked = (desk.store, limit, after, customer_id, status)
        return JSONResponse(await desk.run(views.orders_page, *asked))

    @app.get("/products", **_read("list_products", views.PRODUCTS))
    async def list_products(limit: Limit = 100, after: After = None) -> Response:
        """Return a page of the catalogue by product ids, with the prices of now."""
        return JSONResponse(await desk.run(views.products_page, desk.store, limit, after))


async def _command(request: Request, kind: Callable[..., Any]) -> Any:
    content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content != _JSON:
        raise problems.Problem(415, f"Send {_JSON}.", {"Accept": _JSON})
    return commands.command_of(kind, fields_of(await request.body()))


def fields_of(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; a Problem of status 400 when there is none to rely on."""
    try:
        return wire.loads(body)
    except EventDecodeError as error:
        detail = f"The body is no JSON object to rely on. {' '.join(error.args[1:])}"
        raise problems.Problem(400, detail) from None


def _bare(key: str | None) -> str:
    return (key or "").strip('"')


def _accepted(event: Any) -> Response:
    told = {"event_id": event.event_id, "order_id": event.key, "type": event.type}
    return JSONResponse(told, 202, headers={"Location": f"/orders/{event.key}"})


def _told(name: str, kind: Any, *more: int) -> dict[str, Any]:
    body = {"schema": commands.schema_of(kind), "example": EXAMPLES[kind]}
    accepted = {
        "description": "It will happen; the order is at Location soon.",
        "content": {_JSON: {"schema": views.ACCEPTED}},
        "headers": {"Location": {"schema": {"type": "string"}}},
        "links": _LINKS,
    }
    return {
        "methods": ["POST"],
        "status_code": 202,
        "summary": (kind.__doc__ or "").strip(),
        "openapi_extra": {"requestBody": {"required": True, "content": {_JSON: body}}},
        **_documented(name, {202: accepted}, 400, 408, 409, 413, 415, *more),
    }


def _read(name: str, schema: Any, *more: int) -> dict[str, Any]:
    found = {"description": "Here it is.", "content": {_JSON: {"schema": schema}}}
    return _documented(name, {200: found}, *more)


def _documented(name: str, good: dict[int, Any], *statuses: int) -> dict[str, Any]:
    content = {problems.MEDIA_TYPE: {"schema": problems.SCHEMA}}
    bad = {
        status: {"description": problems.Problem(status).status.phrase, "content": content}
        for status in (*statuses, 401, 403, 421, 422, 429, 500, 503)
    }
    return {"operation_id": name, "dependencies": [_TOKEN], "responses": {**good, **bad}}
