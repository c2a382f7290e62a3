"""The alert rules speak of metrics that there are, and fire when they should."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from eventlab.orders.processes import figures
from eventlab.orders.store import Store
from eventlab.orders.web.metrics import Metrics

FOLDER = Path(__file__).parents[4] / "deploy" / "prometheus"
RULES, TESTS = FOLDER / "orders.rules.yaml", FOLDER / "orders.rules.test.yaml"
FUNCTIONS = {"sum", "by", "deriv", "changes", "increase", "rate", "and", "absent"}


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
    names = set(re.findall(r"[a-z_]{2,}", plain)) - FUNCTIONS
    assert names
    assert names <= told | {"up"}  # which Prometheus tells itself, of what it scrapes


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do(rule):
    """Somebody is woken by it."""
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["do"]


@pytest.fixture
def promtool():
    """Return a function that runs promtool beside the rules; without one the test is skipped."""
    path = shutil.which("promtool")
    if path is None:
        reason = "There is no promtool; Debian has it in the package prometheus."
        in_ci = os.environ.get("CI") == "true" and shutil.which("apt-get")
        pytest.fail(reason) if in_ci else pytest.skip(reason)

    def run(*arguments):
        done = subprocess.run(
            [path, *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_alerts_fire_when_they_should(promtool):
    """Prometheus itself evaluates them, over half an hour of each case and of one without any."""
    code, told = promtool("test", "rules", TESTS.name)
    assert code == 0, told


def test_an_alert_has_a_case_in_which_it_fires():
    """Otherwise the test above would say nothing of it."""
    assert set(re.findall(r'alertname="(\w+)"', TESTS.read_text("utf-8"))) == {
        rule["alert"] for rule in rules()
    }


def test_the_example_of_a_configuration_is_one(promtool):
    """It reads the rules, and each of its jobs is one that OrdersProcessDown looks at."""
    code, told = promtool("check", "config", "--syntax-only", "prometheus.yaml")
    assert code == 0, told
    config = yaml.safe_load((FOLDER / "prometheus.yaml").read_text("utf-8"))
    assert config["rule_files"] == [RULES.name]
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert set(jobs) == {"orders-subscriber", "orders-relay", "orders-api"}
    assert jobs["orders-api"]["authorization"]["credentials_file"].endswith("/web/8080.token")
