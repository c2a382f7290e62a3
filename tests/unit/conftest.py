"""Unit tests start no cluster; those that write get a home folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlab import environment


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch):
    """Hide what the shell of whoever runs the tests has set; where files are kept stays."""
    for name in (*environment.IGNORED, *environment.KNOWN):
        if name not in ("EVENTLAB_HOME", "EVENTLAB_PATIENCE"):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a new, empty home folder, in use for this test."""
    folder = tmp_path / "home"
    monkeypatch.setenv("EVENTLAB_HOME", str(folder))
    return folder
