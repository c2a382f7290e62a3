"""Clients of an API that is killed now and then: each asks until it is answered, with one key."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading

import httpx

from eventlab import environment
from eventlab.waiting import Deadline, wait_until

ORDER = {"customer_id": "C-1", "items": [{"product_id": "CUP", "quantity": 2}]}
LATER = (401, 409, 503)  # the token of a life before; the first one is outstanding; SQL is busy


class Api:
    """`eventlab orders api --outbox`, always on the same port."""

    def __init__(self, servers, url):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._token = environment.home() / "web" / f"{self.port}.token"
        self._command = [sys.executable, "-m", "eventlab", "orders", "api", "--outbox"]
        self._command += ["--port", str(self.port), "--rate", "10000"]
        self._address = {"EVENTLAB_SERVERS": servers, "EVENTLAB_STORE": url}
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            self._command,
            env={**os.environ, **self._address},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def end(self, number):
        """Send a signal, and wait for the end; return the exit code."""
        self._process.send_signal(number)
        return self._process.wait(Deadline(30).left)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        if self._process and self._process.poll() is None:
            self.end(signal.SIGKILL)
        self._token.unlink(missing_ok=True)

    @property
    def token(self):
        return {"Authorization": f"Bearer {self._token.read_text()}"}


class Callers:
    """Four clients that order one thing after the other, each with a key of its own."""

    def __init__(self, api):
        self._api, self._over = api, threading.Event()
        self.accepted, self.asked = {}, 0
        self._threads = [threading.Thread(target=self._orders, args=(n,)) for n in range(4)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info):
        self._over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _orders(self, number):
        with httpx.Client(base_url=self._api.url, timeout=20) as client:
            count = 0
            while not self._over.is_set():
                key, count = f"{number}-{count}", count + 1
                ask = lambda: self._asks(client, key)  # noqa: E731, B023
                self.accepted[key] = wait_until(ask, 60, f"{key} is not accepted.")

    def _asks(self, client, key):
        """Ask once; return the id of the order, None when nobody knows whether there is one."""
        self.asked += 1
        try:
            headers = {**self._api.token, "Idempotency-Key": f'"{key}"'}
            answer = client.post("/orders", json=ORDER, headers=headers)
        except (httpx.TransportError, OSError):
            return None
        assert answer.status_code in (202, *LATER), answer.text
        return answer.json()["order_id"] if answer.status_code == 202 else None
