"""The OpenAPI document says what the API does: a client that is made of it finds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from decimal import Decimal

from eventlab.orders import CustomerRegistered, DomainError, ProductListed
from eventlab.orders.handlers import handle
from eventlab.orders.web import serve
from tests.unit.orders.web.conftest import Shop

CONFIG = """
seed = 7
max-failures = 20
headers = { Authorization = "Bearer ${TOKEN}" }
checks.positive_data_acceptance.enabled = false  # in favour of the one below
[generation]
max-examples = 25
database = "none"
"""
HOOKS = """
import schemathesis

@schemathesis.check
def what_the_document_allows_is_accepted(ctx, response, case):
    if not case.meta.generation.mode.is_positive or response.status_code in (200, 202, 404, 409):
        return None
    told = response.json()
    if told["type"].endswith("/key-reused"):  # it draws short keys, and so the same ones again
        return None
    if told.get("field") in ("carrier", "reason"):  # JSON Schema cannot ask for printable text
        return None
    raise AssertionError(response.text)
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
    with shop.store.transaction() as db:
        handle(CustomerRegistered("C-00042", "Ada", "DE"), db)
        handle(ProductListed("GRUMPY-TEAPOT", "Grumpy teapot", "kitchen", Decimal("39.90")), db)
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    (tmp_path / "hooks.py").write_text(HOOKS)
    with serve(shop.api) as server, handled(shop):
        env = {**os.environ, "TOKEN": server.token_file.read_text(), "NO_COLOR": "1"}
        env |= {"SCHEMATHESIS_HOOKS": "hooks"}
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml"]
        done = subprocess.run(
            [*command, "run", f"{server.url}/openapi.json"],
            cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(shop.events()) > 1, done.stdout  # it has got through, too
