"""The wheel does in an empty environment what the checkout does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from eventlab.waiting import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return the wheel, built without a network from the tools of the lock."""
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True, timeout=120)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return the bin folder of a new environment with the lock and the wheel in it."""
    venv = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(venv)]
    locked = ["--require-hashes", "-r", str(ROOT / "requirements.lock")]
    subprocess.run([*uv, *locked], check=True, timeout=300)
    subprocess.run([*uv, "--no-deps", str(wheel)], check=True, timeout=60)
    return venv / "bin"


def test_the_wheel_has_all_that_a_learner_needs(wheel):
    """Package, notebooks, data, the locks and JupyterLab's settings are in it; tests are not."""
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "eventlab/cluster/jars.lock" in names
    assert "eventlab/_bundled/notebooks/00_first_light.ipynb" in names
    assert "eventlab/_bundled/data/orders.csv" in names
    assert "eventlab/orders/web/files/index.html" in names
    assert any(
        name.endswith("data/etc/jupyter/labconfig/default_setting_overrides.json") for name in names
    )
    assert not any(name.startswith(("tests/", "lessons/", "benchmarks/")) for name in names)


def test_lab_in_an_empty_folder_opens_copies_of_the_notebooks(installed, tmp_path):
    """`eventlab lab` copies notebooks and data out, JupyterLab answers, the cluster comes up."""
    empty = tmp_path / "empty folder"
    empty.mkdir()
    home = tmp_path / "home"
    env = {k: v for k, v in os.environ.items() if not k.startswith(("EVENTLAB_", "JUPYTER"))}
    env |= {"EVENTLAB_HOME": str(_home_with_jars(home))}
    lab = subprocess.Popen(
        [installed / "eventlab", "lab", "--no-browser"],
        cwd=empty, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        url = lab.stdout.readline().split()[-1]
        wait_until(lambda: _answers(url), 120, "JupyterLab did not answer.", every=0.1)
        assert (empty / "notebooks" / "00_first_light.ipynb").exists()
        assert (empty / "data" / "orders.csv").exists()
        wait_until(lambda: _running(installed, env), 120, "The cluster did not start.", every=0.2)
    finally:
        lab.send_signal(signal.SIGTERM)
        lab.communicate(timeout=60)
    clusters = home / "clusters"
    wait_until(lambda: not any(p.is_dir() for p in clusters.iterdir()), 20, "A cluster is left.")


def _home_with_jars(home: Path) -> Path:
    """Return a new EVENTLAB_HOME that shares the fetched jars, so that no network is needed."""
    from eventlab.cluster import jars

    (home / "kafka").mkdir(parents=True)
    home.chmod(0o700)
    (home / "kafka" / jars.VERSION).symlink_to(jars.folder())
    return home


def _answers(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False


def _running(installed: Path, env: dict[str, str]) -> bool:
    asked = [installed / "eventlab", "status", "--json"]
    told = subprocess.run(asked, env=env, capture_output=True, text=True, timeout=30).stdout
    state = json.loads(told)
    return state["state"] == "running" and all(n["state"] == "running" for n in state["nodes"])
