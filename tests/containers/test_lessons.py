"""Lessons run on containers as they do on processes, and say the same.

    LESSONS_EVERYWHERE=1 pytest tests/containers/test_lessons.py    # as with the real images

Without it each of them runs on one of the backends, and 13 and 19, which take minutes, on none.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from eventlab import lessons
from tests.conftest import PREFIX
from tests.containers.test_contract import CONTAINERS
from tests.notebooks.runs import LESSONS, eventlab, nbval, private_home

# What a lesson needs of a cluster is in these: topics, ordering, replication, faults, operation.
CHOSEN = [path for path in LESSONS if path.stem[:2] in ("00", "03", "05", "12", "13", "19")]
ALONE = {"00": "compose", "03": "testcontainers", "05": "testcontainers", "12": "compose"}
PAIRS = [
    pytest.param(backend, lesson, id=f"{backend}-{lesson.stem}")
    for backend in CONTAINERS
    for lesson in CHOSEN
    if os.environ.get("LESSONS_EVERYWHERE") or ALONE.get(lesson.stem[:2]) == backend
]


@pytest.fixture(scope="module")
def env_of(kafka_image):
    """Return what gives the environment of a running cluster of a backend, one of each."""
    with ExitStack() as stack:

        @cache
        def env_of(backend: str) -> dict[str, str]:
            env = stack.enter_context(private_home())
            env["EVENTLAB_BACKEND"] = backend
            env["COMPOSE_PROJECT_NAME"] = f"eventlab-{PREFIX}-{backend}"
            eventlab(env, "up", "--owner", str(os.getpid()))
            return env

        yield env_of


@pytest.mark.parametrize(("backend", "lesson"), PAIRS)
def test_a_lesson_says_the_same_on_containers(backend: str, lesson: Path, tmp_path: Path, env_of):
    """Every cell runs, and shows what it shows on the embedded cluster."""
    notebook = tmp_path / f"{lesson.stem}.ipynb"
    notebook.write_text(lessons.with_expected_outputs(lesson), encoding="utf-8")
    ran = nbval(notebook, env_of(backend))
    assert ran.returncode == 0, ran.stdout + ran.stderr
