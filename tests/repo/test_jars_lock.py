"""Kafka's jars are those that Maven Central resolves, each with its digest."""

from __future__ import annotations

from eventlab.cluster import jars


def test_the_lock_is_what_jgo_resolves(tmp_path, monkeypatch):
    """Resolving the roots anew gives the lock, line by line: nothing missing, nothing else."""
    monkeypatch.setenv("EVENTLAB_HOME", str(tmp_path / "home"))
    lines = [line for line in jars.LOCK.read_text("utf-8").splitlines() if line[0] != "#"]
    assert list(jars.lock_lines()) == lines


def test_a_jar_that_is_not_the_locked_one_is_thrown_away(tmp_path, monkeypatch):
    """A changed byte in a fetched jar is found, told, and mended by fetching again."""
    import shutil

    import pytest

    from eventlab.errors import KafkaNotFound

    fetched = jars.folder()
    monkeypatch.setenv("EVENTLAB_HOME", str(tmp_path / "home"))
    shutil.copytree(fetched, jars.folder(), copy_function=shutil.copy2)
    victim = jars.find().jars[0]
    content = bytearray(victim.read_bytes())
    content[100] ^= 1
    victim.write_bytes(content)
    with pytest.raises(KafkaNotFound, match=victim.name):
        jars.fetch()
    assert victim in jars.fetch().jars
