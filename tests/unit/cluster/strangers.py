"""Servers that are no Kafka, or hardly: what a bootstrap address may lead to by mistake."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trustme
from kafka.protocol.metadata import (
    ApiVersionsRequest,
    ApiVersionsResponse,
    MetadataRequest,
    MetadataResponse,
)

Serve = Callable[[socket.socket], object]


@contextmanager
def serving(serve: Serve) -> Iterator[str]:
    """Answer each connection in a thread, until it ends; give the address."""
    server = socket.create_server(("127.0.0.1", 0))

    def each(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            serve(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threads.append(threading.Thread(target=each, args=(server.accept()[0],)))
                threads[-1].start()

    threads: list[threading.Thread] = []
    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for thread in [accepting, *threads]:
            thread.join(10)


def silent(connection: socket.socket) -> None:
    """Read, and say nothing, until the other side has had enough."""
    while connection.recv(65536):
        pass


def closing(connection: socket.socket) -> None:
    """Read, and hang up."""
    connection.recv(65536)


def web(connection: socket.socket) -> None:
    """Answer as a web server does to what is no HTTP."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def says(text: bytes) -> Serve:
    """Answer anything with these bytes, and hang up."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(text)

    return serve


def trickling(connection: socket.socket) -> None:
    """Begin an answer of a megabyte, and go on with a byte every tenth of a second."""
    connection.recv(65536)
    connection.sendall(b"\0\x10\0\0")
    connection.settimeout(0.1)
    while True:
        connection.sendall(b"\0")
        with suppress(TimeoutError):
            if not connection.recv(1):
                return


def encrypted(folder: Path, serve: Serve) -> tuple[str, Serve]:
    """Return the CA of a server that speaks TLS, and the server."""
    ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.cert_pem.write_to_path(folder / "ca.pem")
    ca.issue_cert("127.0.0.1").configure_cert(context)

    def wrapped(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            serve(secure)

    return str(folder / "ca.pem"), wrapped


def broker(cluster_id: str, *told: tuple[int, str, int]) -> Serve:
    """Answer in Kafka's protocol, and tell of brokers: node_id, host, port (0 is one's own)."""
    key = ApiVersionsResponse.ApiVersion
    node = MetadataResponse.MetadataResponseBroker
    known = [(ApiVersionsRequest, 0, 3), (MetadataRequest, 9, 12)]
    keys = [key(api_key=a.API_KEY, min_version=low, max_version=high) for a, low, high in known]

    def serve(connection: socket.socket) -> None:
        own = connection.getsockname()[1]
        nodes = [node(node_id=n, host=host, port=port or own, rack=None) for n, host, port in told]
        greeting = ApiVersionsResponse(version=3, api_keys=keys)
        answer = MetadataResponse(version=12, cluster_id=cluster_id, brokers=nodes)
        for number, each in enumerate((greeting, answer), 1):
            connection.recv(65536)
            each.with_header(correlation_id=number)
            connection.sendall(each.encode(framed=True, header=True))
        silent(connection)

    return serve
