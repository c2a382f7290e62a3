"""The tests find a PostgreSQL server where Debian or Homebrew has put it."""

from __future__ import annotations

import pytest

from tests import postgres


@pytest.mark.parametrize(("server", "found"), [(True, True), (False, False)])
def test_the_server_that_pg_config_tells_of(tmp_path, monkeypatch, server, found):
    """Homebrew's is nowhere else; its libpq has a pg_config, and no server."""
    told = tmp_path / "pg_config"
    told.write_text(f"#!/bin/sh\necho {tmp_path}\n")
    told.chmod(0o755)
    if server:
        (tmp_path / "postgres").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres, "_debian", list)
    assert postgres.programs() == (tmp_path if found else None)


def test_no_server_at_all(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres, "_debian", list)
    assert postgres.programs() is None
