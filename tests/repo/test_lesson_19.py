"""Lesson 19 shows the project's own files, and they say what it tells of them."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
LESSON = (ROOT / "lessons/19_deploy_and_operate.py").read_text("utf-8")
RULES = ROOT / "deploy/prometheus/orders.rules.yaml"
COMPOSE = ROOT / "docker-compose.yaml"


def test_its_alerts_are_those_of_the_rules():
    """Each alert of its table: the numbers, the functions and the time that it has to last."""
    rules = {
        rule["alert"]: rule
        for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    }
    table = re.findall(r"^# \| `(Orders\w+)` \| (.+) \| (\d+) minutes \|$", LESSON, re.MULTILINE)
    assert len(table) == 3
    for alert, told, minutes in table:
        rule = rules[alert]
        assert rule["for"] == f"{minutes}m"
        words = set(re.findall(r"1000|absent|deriv|changes|\[\w+\]", told))
        assert words <= set(re.findall(r"1000|absent|deriv|changes|\[\w+\]", rule["expr"]))
        assert "kafka_consumergroup_group_lag" in rule["expr"]


def test_its_services_are_those_of_the_compose_file():
    """`docker compose --profile orders` starts what it names, with a check of its health."""
    services = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    assert "--profile orders up -d --wait" in LESSON
    for name in ("subscriber", "relay", "api"):
        assert services[name]["profiles"] == ["orders"]
        assert "/health/ready" in str(services[name]["healthcheck"])
