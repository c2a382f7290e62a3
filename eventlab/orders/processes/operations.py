"""/metrics and /health of a process that serves nothing else, on the loopback interface by default.

    with Operations(9101, registry, {"sql": store.answers}):
        ...                # GET /metrics, /health/live, /health/ready until the end of the block

Live says that the process answers, ready that what it needs answers too.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from eventlab.errors import PortInUse
from eventlab.waiting import Deadline

HOST = "127.0.0.1"  # what it tells is for whoever runs it


class Operations:
    """Answers until the end of its block; `ready` says by name what has to be well for it.

    `port` 0 takes a free one; `self.port` says which. PortInUse when somebody has it.
    """

    def __init__(
        self,
        port: int,
        registry: CollectorRegistry,
        ready: Mapping[str, Callable[[], bool]],
        host: str = HOST,
    ) -> None:
        self._metrics, self._ready = make_wsgi_app(registry), ready
        try:
            self._server = make_server(host, port, self._answer, _Server, _Quiet)
        except (OSError, OverflowError) as error:
            raise PortInUse(
                "Metrics cannot be served there.",
                f"{host}:{port} says: {error}.",
                "Use --metrics-port 0, which takes a free one, and an address of this machine.",
            ) from None
        self.port = int(self._server.server_port)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def _answer(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/metrics":
            told: Iterable[bytes] = self._metrics(environ, start)
            return told
        if path == "/health/live":
            return _json(start, "200 OK", {"status": "pass"})
        if path == "/health/ready":
            found = {name: check() for name, check in self._ready.items()}
            well = all(found.values())
            code = "200 OK" if well else "503 Service Unavailable"
            return _json(start, code, {"status": "pass" if well else "fail", **found})
        return _json(start, "404 Not Found", {"status": "fail"})

    def __enter__(self) -> Operations:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(Deadline(5).left)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False


class _Quiet(WSGIRequestHandler):
    timeout = 5  # seconds for a request that does not come

    def log_message(self, *said: object) -> None:
        """Say nothing: a scrape every few seconds is no news."""


def _json(start: Any, status: str, body: dict[str, object]) -> list[bytes]:
    start(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    return [json.dumps(body).encode()]
