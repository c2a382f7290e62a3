"""No false alarm: histories that Kafka could have made are valid, however unusual."""

from __future__ import annotations

import os

import pytest

from tests.unit.history import valid
from tests.unit.history.story import allowed, anomalies

# The full count takes minutes: HISTORIES=10000 pytest tests/unit/history/test_valid.py
HISTORIES = int(os.environ.get("HISTORIES", "600"))
CHUNKS = 12


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_valid_histories_are_valid(chunk):
    """Each is judged valid, and the seed of one that is not is told."""
    for seed in range(chunk, HISTORIES, CHUNKS):
        verdict = valid.of(seed).judge()
        assert verdict.outcome == "valid", f"seed {seed}: {anomalies(verdict)}\n{verdict}"


def test_they_are_unusual():
    """Else they would prove little: between them they have what is allowed, and all outcomes."""
    seen, counts = set(), {"acknowledged": 0, "failed": 0, "unknown": 0, "landed": 0, "read": 0}
    for seed in range(120):
        verdict = valid.of(seed).judge()
        seen |= set(allowed(verdict))
        for name in counts:
            counts[name] += verdict.counts[name]
    assert {"duplicate", "redelivered", "unseen", "skipped", "two owners"} <= seen
    assert min(counts.values()) > 100
