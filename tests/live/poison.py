"""Values of records that no subscriber can read, by what is wrong with them."""

from __future__ import annotations

import gzip
import json

from eventlab.orders import encode
from tests.unit.orders.inbox.arrivals import created


def changed(event, **fields):
    """Return the value of an event with other attributes."""
    return json.dumps({**json.loads(encode(event).value), **fields}).encode()


BAD = {
    "malformed": b"{",
    "binary": bytes(range(256)),
    "no value": None,
    "empty": b"",
    "unknown type": changed(created(), type="example.eventlab.order.forgotten"),
    "wrong version": changed(created(), specversion="0.3"),
    "wrong schema": changed(created(), dataschema="https://eventlab.example/schemas/order.x"),
    "name twice": b'{"specversion": "1.0", "specversion": "1.0"}',
    "deep": b"[" * 100_000,
    "zip bomb": b'{"a": "' + b"0" * 50_000_000 + b'"}',
    "compressed itself": gzip.compress(b"0" * 1_000_000),
    "another topic's table": changed(created(), data={"table": "orders; DROP TABLE orders"}),
}
