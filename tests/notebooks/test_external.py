"""Lessons on a cluster that others run and use, under a prefix of the learner's own.

    LESSONS_TWICE=1 pytest tests/notebooks/test_external.py    # all of them, as every night
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlab import Cluster, lessons
from tests.conftest import PREFIX, nothing_left
from tests.live.secured import PASSWORD, USER, secured
from tests.notebooks.runs import LESSONS, private_home, without_promises
from tests.notebooks.test_lessons import assert_judged

ALL = ("00", "02", "03", "05", "10") if os.environ.get("LESSONS_TWICE") else ()
NAMES, LOGGED_IN = ALL or ("00", "05"), ALL or ("10",)


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    """Return a cluster that is embedded here, and somebody else's for who only has its address."""
    with Cluster(f"{PREFIX}-shared") as cluster:
        yield cluster
    assert nothing_left(f"{PREFIX}-shared")


def chosen(names: tuple[str, ...]) -> list[Path]:
    """Return the lessons of these numbers."""
    return [path for path in LESSONS if path.stem[:2] in names]


@pytest.mark.parametrize("lesson", chosen(NAMES), ids=lambda path: path.stem)
def test_a_lesson_keeps_to_its_prefix(lesson: Path, tmp_path: Path, shared: Cluster) -> None:
    """Its exercises are judged as ever, and no topic and no group has another learner's name."""
    told = {
        "EVENTLAB_BACKEND": "external",
        "EVENTLAB_SERVERS": shared.bootstrap_servers,
        "EVENTLAB_PREFIX": "ada-",
    }
    before = _names(shared)
    with private_home() as env:
        assert_judged(_attempted(lesson), lesson, tmp_path, env | told)
    new = _names(shared) - before
    assert new
    assert all(name.startswith("ada-") for name in new), new


@pytest.mark.parametrize("lesson", chosen(LOGGED_IN), ids=lambda path: path.stem)
def test_a_lesson_logs_in(lesson: Path, tmp_path: Path) -> None:
    """All its clients, those that a learner writes included, get in with a name and a password."""
    with secured(brokers=3) as broker, private_home() as env:
        told = {
            "EVENTLAB_BACKEND": "external",
            "EVENTLAB_SERVERS": broker.at("BOTH"),
            "EVENTLAB_PREFIX": "ada-",
            "EVENTLAB_SECURITY_PROTOCOL": "SASL_SSL",
            "EVENTLAB_SASL_MECHANISM": "SCRAM-SHA-512",
            "EVENTLAB_SASL_USERNAME": USER,
            "EVENTLAB_SASL_PASSWORD": PASSWORD,
            "EVENTLAB_SSL_CAFILE": broker.file("ca"),
        }
        assert_judged(_attempted(lesson), lesson, tmp_path, env | told)


def _attempted(lesson: Path) -> str:
    """Return a lesson with attempts, without what it promises of a cluster of its own."""
    return without_promises(lessons.attempted(lesson))


def _names(cluster: Cluster) -> set[str]:
    """Return the topics and groups that somebody has made: Kafka's own begin with `__`."""
    groups = [group["group_id"] for group in cluster.admin.list_groups()]
    return {n for n in (*cluster.admin.list_topics(), *groups) if not n.startswith("__")}
