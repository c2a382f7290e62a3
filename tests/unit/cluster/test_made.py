"""What a user has made on a cluster of others is known again, and is nobody else's."""

from __future__ import annotations

import threading

import pytest

from eventlab.cluster.made import Made


@pytest.fixture(autouse=True)
def _home(monkeypatch, tmp_path):
    monkeypatch.setenv("EVENTLAB_HOME", str(tmp_path))


def test_it_outlives_the_kernel():
    """Another object of the same user knows it, until it is forgotten."""
    Made("A").add("mine")
    assert "mine" in Made("A")
    Made("A").forget("mine")
    assert "mine" not in Made("A")


def test_another_cluster_and_another_user_have_their_own(monkeypatch, tmp_path):
    """The same name elsewhere is not ours to delete."""
    Made("A").add("mine")
    assert "mine" not in Made("B")
    monkeypatch.setenv("EVENTLAB_HOME", str(tmp_path / "other"))
    assert "mine" not in Made("A")


def test_several_kernels_remember_at_once():
    """None of them writes over what another has remembered."""
    threads = [threading.Thread(target=Made("A").add, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(f"t{n}" in Made("A") for n in range(8))


def test_a_damaged_file_makes_nothing_ours(tmp_path):
    """What is not known to be ours is left alone; from then on it is remembered again."""
    Made("A").add("mine")
    (tmp_path / "external" / "A.json").write_text("{")
    assert "mine" not in Made("A")
    Made("A").add("new")
    assert "new" in Made("A")
