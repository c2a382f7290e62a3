"""A Docker engine, or its client, that does not answer is told of in words, and soon."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from contextlib import closing

import psutil
import pytest

from eventlab.cluster import engine
from eventlab.errors import EngineAway
from tests.unit.refusals import refused


@pytest.fixture
def soon(monkeypatch):
    """Let an answer be awaited for a moment."""
    monkeypatch.setattr(engine, "_ANSWER", 0.3)


def test_an_engine_that_is_silent(monkeypatch, soon):
    """One that is frozen takes connections, and is not waited for as long as a pull takes."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
        with refused(EngineAway, "does not answer", str(port), "embedded", within=5):
            engine.client()


@pytest.mark.parametrize("look", [engine.client, engine.compose_version])
def test_a_docker_that_does_not_end(monkeypatch, tmp_path, soon, look):
    """The program of that name is ended, and named with what it was asked."""
    hangs = tmp_path / "docker"
    hangs.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    hangs.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    with refused(EngineAway, "client does not answer", "`docker co", "embedded", within=5):
        look()
    assert not [each for each in psutil.Process().children() if each.name() == "tail"]


class _Engine(http.server.BaseHTTPRequestHandler):
    """Says which engine it is, as one does when a client is made."""

    def do_GET(self):
        said = json.dumps({"ApiVersion": "1.44", "Version": "28.0"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args):
        pass


def test_an_engine_that_ends_after_a_client_was_made(monkeypatch):
    """Whatever is asked of the client then gives our error, not one of three libraries."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Engine) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        client = engine.client()
        server.shutdown()
    with closing(client), refused(EngineAway, "No Docker engine", str(server.server_port)):
        client.containers.list()
