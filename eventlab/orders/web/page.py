"""The page where one places orders and watches them, from files of this package: no CDN."""

from __future__ import annotations

import html
from importlib import resources
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "socketio.js": "text/javascript; charset=utf-8",
}


def add_routes(app: FastAPI) -> None:
    """Add the files of the page, and a page of the API that is made of its OpenAPI document."""
    for name in _TYPES:
        path = "/" if name == "index.html" else f"/{name}"
        app.add_api_route(path, _file(name), include_in_schema=False)

    async def docs() -> Response:
        return Response(described(app.openapi()), media_type=_TYPES["index.html"])

    app.add_api_route("/docs", docs, include_in_schema=False)


def _file(name: str) -> Any:
    content = (resources.files("eventlab.orders.web") / "files" / name).read_bytes()

    async def answer() -> Response:
        return Response(content, media_type=_TYPES[name])

    return answer


def described(document: dict[str, Any]) -> str:
    """Return an OpenAPI document as a page to read; the document itself is at /openapi.json."""
    rows = "".join(
        _row(f"<code>{method.upper()}</code>", f"<code>{html.escape(path)}</code>", told)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    )
    title = html.escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}: API</title>'
        f'<link rel="stylesheet" href="/page.css"><main><h1>{title}: API</h1>'
        f"<p>{html.escape(document['info']['description'])} "
        'All of it, for programs: <a href="/openapi.json">openapi.json</a>.</p>'
        "<table><thead><tr><th>Method</th><th>Path</th><th>What</th><th>Answers</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></main></html>"
    )


def _row(method: str, path: str, told: dict[str, Any]) -> str:
    words = html.escape(str(told.get("description") or told.get("summary") or ""))
    answers = html.escape(", ".join(told["responses"]))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in (method, path, words, answers))}</tr>"
