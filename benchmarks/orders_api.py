"""How long a request of the order API takes while several clients ask at once.

Measured: four clients in threads of another process, each with one connection that stays open, ask
one after the other (closed loop: who waits for an answer does not ask), 2,000 orders in all. Clock:
from the first byte that is sent to the last one that is received. The web side runs in a process of
its own, on SQLite, with the outbox, and then directly into Kafka with acks=all and three replicas.
The clients share the machine's cores with what they measure.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import figures
from figures import Figure, Numbers

from eventlab.cluster import launch
from eventlab.orders import topics
from eventlab.orders.inbox import Arrival, Inbox
from eventlab.orders.processes.sample import beginnings
from eventlab.orders.store import Store
from eventlab.orders.web import OrderApi
from eventlab.orders.web.server import Server

REQUESTS, CLIENTS = 2_000, 4
ORDER = json.dumps(
    {"customer_id": "C-00042", "items": [{"product_id": "GRUMPY-TEAPOT", "quantity": 2}]}
)
SPAWN = multiprocessing.get_context("spawn")


def measure(runs: int) -> list[Figure]:
    launch.requirements()
    with figures.cluster() as state:
        servers = state["bootstrap_servers"]
        topics.make(servers)
        seen = figures.interleaved(
            runs, outbox=lambda: _run(servers, True), direct=lambda: _run(servers, False)
        )
    return [
        Figure(f"{what}, {side}", figures.median(seen[side], name), unit)
        for side in ("outbox", "direct")
        for what, name, unit in (
            ("an order by REST, p50", "p50", "ms"),
            ("an order by REST, p99", "p99", "ms"),
            ("orders a second", "rate", "1/s"),
        )
    ]


def _run(servers: str, outbox: bool) -> Numbers:
    with tempfile.TemporaryDirectory() as folder:
        ours, its = SPAWN.Pipe()
        process = SPAWN.Process(target=_serve, args=(its, folder, servers, outbox))
        process.start()
        try:
            port, token = ours.recv()
            with SPAWN.Pool(1) as clients:
                return clients.apply(_ask, (port, token))
        finally:
            process.terminate()
            process.join(30)


def _serve(parent: Any, folder: str, servers: str, outbox: bool) -> None:
    with Store(Path(folder) / "shop.db") as store:
        known = [Arrival(_Place(number), event) for number, event in enumerate(beginnings())]
        Inbox(store, "bench").take(known)
        server = Server(OrderApi(store, servers, outbox=outbox, rate=1e6))
        parent.send((server.port, server.token_file.read_text()))
        server.run()


class _Place:
    """Where an event would have come from."""

    topic, partition, key, value = "customers", 0, None, b""

    def __init__(self, offset: int) -> None:
        self.offset = offset


def _ask(port: int, token: str) -> Numbers:
    with ThreadPoolExecutor(CLIENTS) as clients:
        begun = time.monotonic()
        told = clients.map(lambda _: _client(port, token), range(CLIENTS))
        took = sorted(seconds for each in told for seconds in each)
    cuts = statistics.quantiles(took, n=100)
    rate = len(took) / (time.monotonic() - begun)
    return {"p50": 1e3 * cuts[49], "p99": 1e3 * cuts[98], "rate": rate}


def _client(port: int, token: str) -> list[float]:
    took = []
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.connect()
    # Headers and body are two writes: with Nagle's algorithm the second waits for an ACK, 40 ms.
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(REQUESTS // CLIENTS):
        begun = time.perf_counter()
        connection.request("POST", "/orders", ORDER, headers)
        answer = connection.getresponse()
        body = answer.read()
        took.append(time.perf_counter() - begun)
        if answer.status != 202:
            raise RuntimeError(f"{answer.status} {body.decode()}")
    connection.close()
    return took


if __name__ == "__main__":
    os.environ.setdefault("EVENTLAB_PATIENCE", "3")
    sys.exit(figures.main(__doc__, measure, runs=3))
