"""The alert rules speak of metrics that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from eventlab.orders.processes import figures
from eventlab.orders.store import Store
from eventlab.orders.web.metrics import Metrics

RULES = Path(__file__).parents[4] / "deploy" / "prometheus" / "orders.rules.yaml"
FUNCTIONS = {"sum", "by", "deriv", "changes", "increase", "rate", "and"}


def rules():
    [group] = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return group["rules"]


@pytest.fixture
def told(tmp_path):
    """Return the names of all metrics that the processes tell."""
    with Store(tmp_path / "shop.db") as store:
        counted = figures.counts("orders_events_handled", "", "outcome", lambda: {"dead": 1})
        found = figures.registry(counted, figures.waiting(store)).collect()
        names = {sample.name for family in found for sample in family.samples}
    web = Metrics()
    web.answered("GET", "/orders", 200, 0.1)
    names |= set(re.findall(r"^(\w+)[{ ]", web.text().decode(), re.MULTILINE))
    return names | {"kafka_consumergroup_group_lag"}  # of a live cluster: test_orders_processes


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_speaks_of_what_is_told(rule, told):
    """A name with a slip in it would never fire, and nobody would know."""
    plain = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\([a-z, ]+\) \(", " ", rule["expr"])
    names = set(re.findall(r"[a-z_]{3,}", plain)) - FUNCTIONS
    assert names
    assert names <= told


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do(rule):
    """Somebody is woken by it."""
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["do"]
