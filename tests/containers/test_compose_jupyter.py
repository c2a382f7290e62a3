"""The profile `jupyter`: JupyterLab in a container, and a lesson on the project's brokers."""

from __future__ import annotations

import httpx
import pytest

from eventlab.cluster.nodes import free_ports
from eventlab.cluster.settings import Settings
from eventlab.waiting import wait_until
from tests.containers.project import BROKERS

TOKEN = "of-a-test"


@pytest.fixture(scope="module")
def lab(project, eventlab_image):
    """Return the project with JupyterLab beside its brokers, and the address of JupyterLab."""
    with pytest.MonkeyPatch.context() as patch:
        port = next(free_ports(Settings()))
        patch.setenv("EVENTLAB_JUPYTER_PORT", str(port))
        patch.setenv("JUPYTER_TOKEN", TOKEN)
        project.compose("--profile", "jupyter", "up", "--detach", "--wait")
        try:
            yield project, f"http://127.0.0.1:{port}"
        finally:
            project.compose("--profile", "jupyter", "rm", "--force", "--stop", "jupyter")


def status(url, **headers):
    """Return the HTTP status of a request that wants a token, or 0 when nobody answers."""
    try:
        return httpx.get(f"{url}/api/status", headers=headers, timeout=5).status_code
    except httpx.TransportError:
        return 0


def test_it_opens_with_the_token_that_was_set(lab):
    """JUPYTER_TOKEN is what a class is told beforehand; without it nobody gets in."""
    _, url = lab
    wait_until(lambda: status(url), 60, "JupyterLab did not answer.", every=0.2)
    assert status(url) == 403
    assert status(url, Authorization="token wrong") == 403
    assert status(url, Authorization=f"token {TOKEN}") == 200


def test_a_lesson_runs_on_the_brokers_beside_it(lab):
    """Every cell of lesson 00, from inside the container, on the brokers of the project."""
    project, _ = lab
    execute = ("jupyter", "execute", "--timeout=120", "notebooks/00_first_light.ipynb")
    project.compose("exec", "-T", "jupyter", *execute)
    assert project.leader("first-light") in BROKERS
