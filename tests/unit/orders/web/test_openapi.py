"""The OpenAPI document says what the API does: a client that is made of it finds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager

from eventlab.orders import DomainError
from eventlab.orders.handlers import handle
from eventlab.orders.web import serve
from tests.unit.orders.web.conftest import Shop

CONFIG = """
seed = 7
max-failures = 20
headers = { Authorization = "Bearer ${TOKEN}" }
[generation]
max-examples = 25
database = "none"
[[operations]]  # JSON Schema cannot say that a text for people has to be printable
include-name-regex = "cancellation|shipments"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]
"""


@contextmanager
def handled(shop):
    """Let events be handled while others come, as a subscriber would do it."""
    end = threading.Event()

    def run():
        while not end.wait(0.05):
            for event in shop.events()[shop.handled :]:
                shop.handled += 1
                try:
                    with shop.store.transaction() as db:
                        handle(event, db)
                except DomainError:
                    continue  # two were accepted at the same time; one of them was too late

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def test_schemathesis_finds_nothing(small_shop, tmp_path):
    """Hundreds of requests that the document allows, and that it does not: all as it says."""
    shop = Shop(small_shop.store, rate=1_000_000.0)
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with serve(shop.api) as server, handled(shop):
        env = {**os.environ, "TOKEN": server.token_file.read_text(), "NO_COLOR": "1"}
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml"]
        done = subprocess.run(
            [*command, "run", f"{server.url}/openapi.json"],
            cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "out").write_text(done.stdout)
