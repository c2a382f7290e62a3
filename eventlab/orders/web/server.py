"""Runs an OrderApi: in a thread, or in the foreground until Ctrl-C or SIGTERM.

    with serve(OrderApi(store)) as server:
        print(server.link())                    # for a browser; good once
        token = server.token_file.read_text()   # for a program

What is no HTTP at all is refused by uvicorn itself, in plain text.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from eventlab import environment
from eventlab.errors import InvalidSetting, PortInUse, shown
from eventlab.orders.web.access import LOOPBACK
from eventlab.orders.web.api import OrderApi
from eventlab.orders.web.errors import ServerNotStarted
from eventlab.orders.web.guard import MOST_BYTES
from eventlab.orders.web.heads import Heads
from eventlab.waiting import Deadline, wait_until

_LOG = logging.getLogger(__name__)
_START_WITHIN = 20.0  # seconds
_STOP_WITHIN = 30.0
_GRACE = 5  # seconds that requests under way are given when it stops


class Server:
    """An OrderApi on a port; its token file is there as long as it listens."""

    def __init__(
        self,
        api: OrderApi,
        host: str = "127.0.0.1",
        port: int = 0,
        names: Iterable[str] = (),
    ) -> None:
        self._api = api
        self._socket = _bound(host, port)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        api.access.names.update((host, *names))
        folder = environment.private_folder(environment.home() / "web")
        self.token_file: Path = folder / f"{self.port}.token"
        api.access.write(self.token_file)
        self._uvicorn = uvicorn.Server(_config(api))
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address of the API, without anything secret."""
        return f"http://{_bracketed(self.host)}:{self.port}"

    def link(self) -> str:
        """Return an address for a browser: its code opens the page once, within ten minutes."""
        return f"{self.url}/#{self._api.access.code()}"

    def run(self) -> None:
        """Serve until Ctrl-C or SIGTERM, or `stop`; for the main thread of a process."""
        try:
            with _quiet_signals():
                self._uvicorn.run(sockets=[self._socket])
        finally:
            self._end()

    def start(self) -> Server:
        """Serve in a thread, which takes no signals; return when it answers."""
        self._thread = threading.Thread(target=self.run, name="eventlab-web", daemon=True)
        self._thread.start()
        thread = self._thread
        started = lambda: self._uvicorn.started or not thread.is_alive()  # noqa: E731
        wait_until(started, _START_WITHIN, "The server did not start.")
        if not self._uvicorn.started:
            raise ServerNotStarted(
                "The server ended while it started.",
                f"It was to listen on {self.url}.",
                "Look at the log of eventlab and uvicorn.",
            )
        return self

    def stop(self) -> None:
        """Stop listening, let requests under way end, and end the thread."""
        self._uvicorn.should_exit = True
        if self._thread is None:
            self._end()
            return
        self._thread.join(Deadline(_STOP_WITHIN).left)
        if self._thread.is_alive():
            self._uvicorn.force_exit = True
            raise ServerNotStarted(
                "The server did not stop.",
                f"It was given {_STOP_WITHIN:.0f} seconds.",
                "Something that it waits for hangs; end the process.",
            )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Server {self.url}>"

    def _end(self) -> None:
        self._socket.close()
        self.token_file.unlink(missing_ok=True)


def serve(
    api: OrderApi, host: str = "127.0.0.1", port: int = 0, names: Iterable[str] = ()
) -> Server:
    """Serve an API in a thread; port 0 takes a free one. It ends with `stop`, or its block.

    Other machines reach it only with a host that is not loopback, by one of the `names` that it is
    given; what they send is not encrypted.
    """
    return Server(api, host, port, names).start()


@contextmanager
def _quiet_signals() -> Iterator[None]:
    """Let uvicorn have the signals: it stops, restores what is here, and raises them once more."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {sign: signal.signal(sign, _ignored) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


def _ignored(number: int, frame: object) -> None:
    """Do nothing: the server has stopped already."""


def _config(api: OrderApi) -> uvicorn.Config:
    return uvicorn.Config(
        api,
        loop="asyncio",
        http=Heads,
        ws="wsproto",  # it comes with python-socketio
        ws_max_size=MOST_BYTES,
        ws_max_queue=16,
        ws_per_message_deflate=False,  # nothing here is worth a compression bomb
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_GRACE,
    )


def _bound(host: str, port: int) -> socket.socket:
    if type(port) is not int or not 0 <= port <= 65535:
        raise InvalidSetting(
            "This is no port.",
            f"You gave {shown(port)}.",
            "Use 0 for a free one, or 1024 to 65535.",
        )
    if host not in LOOPBACK:
        _LOG.warning("The order API listens on %s: other machines reach it, unencrypted.", host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise PortInUse(
            "The server cannot listen there.",
            f"{host}:{port} says: {error.strerror or error}.",
            "Use port=0, which takes a free one, and a host of this machine.",
        ) from None
    # An answer is two writes; with Nagle's algorithm the second would wait 40 ms for an ACK, and
    # asyncio turns it off only for sockets that were made with the protocol spelled out.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
