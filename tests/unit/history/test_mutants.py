"""Whatever is done to a history in which all was well is found, and named rightly."""

from __future__ import annotations

import os
import random

import pytest

from eventlab.history.judge import judge
from eventlab.history.judge.anomalies import ANOMALIES
from tests.unit.history import mutants
from tests.unit.history.story import anomalies

# The full count: MUTANTS=200 pytest tests/unit/history/test_mutants.py
MUTANTS = int(os.environ.get("MUTANTS", "20"))
STRICT = ("unseen", "redelivered")


@pytest.mark.parametrize("mutant", mutants.EXPECTED, ids=lambda mutant: mutant.__name__)
def test_a_mutant_is_found_and_named(mutant):
    """What is expected is named and nothing else; untouched, nothing has to be excused."""
    always, sometimes = mutants.EXPECTED[mutant]
    for seed in range(MUTANTS):
        evidence = mutants.clean(seed)
        assert judge(evidence, forbid=STRICT).valid, seed
        found = set(anomalies(judge(mutant(evidence, random.Random(seed)), forbid=STRICT)))
        assert always <= found <= always | sometimes, f"seed {seed}: {found}"


def test_every_anomaly_but_those_with_a_history_of_their_own_has_mutants():
    """What no mutant shows is shown by hand, in test_anomalies."""
    shown = set().union(*(always for always, _ in mutants.EXPECTED.values()))
    assert set(ANOMALIES) - shown == {"torn", "stalled"}
