"""`eventlab.orders` is a handful of nouns, and importing it costs nothing."""

from __future__ import annotations

import subprocess
import sys

from eventlab import orders

HEAVY = ("kafka", "pandas", "numpy", "matplotlib", "ipywidgets", "sqlite3")


def test_the_public_nouns():
    assert orders.__all__ == sorted(orders.__all__)
    assert {
        *("Customer", "Item", "Order", "OrderStatus", "Payment", "PaymentStatus"),
        *("Product", "Shipment", "read_orders", "sample_orders"),
    } <= set(orders.__all__)
    assert all(getattr(orders, name).__doc__ for name in orders.__all__)


def test_importing_the_domain_brings_no_library_along():
    code = f"import sys, eventlab.orders; print([m for m in {HEAVY} if m in sys.modules])"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"
