"""Kafka's jars are the locked ones, or it is said which are not."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from eventlab.cluster import jars
from eventlab.errors import InvalidSetting, KafkaNotFound
from tests.unit.refusals import picture, refused


@pytest.fixture
def offline(monkeypatch):
    """Send everything to a proxy that is not there."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken and not listened on: connections are refused
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{closed.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch):
    """Return a home's folder of jars, filled with links to the ones that are fetched already."""
    paths = jars.find().jars
    monkeypatch.setenv("EVENTLAB_HOME", str(tmp_path / "home"))
    jars.folder().mkdir(parents=True)
    for path in paths:
        (jars.folder() / path.name).symlink_to(path)
    return jars.folder()


def test_every_jar_is_locked_by_its_digest():
    """Each line holds a coordinate, a size and a SHA-256; no file name stands for two jars."""
    locked = jars.locked()
    assert len({jar.file_name for jar in locked}) == len(locked) > 40
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) and jar.size > 0 for jar in locked)
    assert set(jars.ROOTS) <= {jar.coordinate for jar in locked}


def test_missing_jars_are_counted_and_their_place_named(home):
    """Item 5: nothing is fetched yet, and looking does not fetch."""
    with refused(KafkaNotFound, home / "kafka" / jars.VERSION, "eventlab fetch"):
        jars.find()


def test_without_a_network_the_reason_is_told(home, offline):
    """Item 5: offline, with nothing fetched; no jar and no staging folder stays behind."""
    with refused(KafkaNotFound, "Connection refused", "eventlab fetch", within=30):
        jars.fetch()
    assert list(jars.folder().iterdir()) == []


def test_what_was_fetched_is_kept(fetched, offline):
    """Item 5: a fetch that was cut goes on where it was, so a failed one removes nothing."""
    missing = sorted(fetched.iterdir())[0]
    missing.unlink()
    before = picture(fetched)
    with refused(KafkaNotFound, "Connection refused", within=30):
        jars.fetch()
    assert {path: before[path] for path in before if path != str(fetched)} == {
        path: now for path, now in picture(fetched).items() if path != str(fetched)
    }


def test_complete_jars_need_no_network(fetched, offline):
    """What is there is checked and taken, in the order of the lock."""
    kafka = jars.fetch()
    assert kafka == jars.find()
    assert [path.name for path in kafka.jars] == [jar.file_name for jar in jars.locked()]


def test_a_jar_that_was_cut_counts_as_missing(fetched):
    """Item 5: a half-written file is not loaded."""
    jar = sorted(fetched.iterdir())[0]
    jar.unlink()
    jar.write_bytes(b"PK")
    with refused(KafkaNotFound, "1 of"):
        jars.find()


def test_a_changed_jar_is_thrown_away(fetched, offline):
    """A jar of the right size and another content is not the one that was tested."""
    jar = min(fetched.iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(jar.read_bytes())
    content[len(content) // 2] ^= 1
    jar.unlink()
    jar.write_bytes(content)
    with refused(KafkaNotFound, jar.name, "thrown away"):
        jars.fetch()
    assert not jar.exists()
    assert len(list(fetched.iterdir())) == len(jars.locked()) - 1


def make_kafka(home: Path, *names: str) -> Path:
    """Write the skeleton of an unpacked distribution."""
    (home / "libs").mkdir(parents=True)
    for name in names:
        (home / "libs" / name).write_bytes(b"")
    return home


@pytest.mark.parametrize(
    "names",
    [(), ("kafka_2.13-3.9.1.jar",), ("kafka_2.12-4.0.0.jar",), ("kafka_2.13-.jar",)],
    ids=["empty", "Kafka 3", "another Scala", "no version"],
)
def test_a_folder_that_is_no_kafka_4_is_refused(names, tmp_path, monkeypatch):
    """Item 5: a distribution was chosen, and it is not one, or too old."""
    home = make_kafka(tmp_path / "kafka", *names)
    monkeypatch.setenv("EVENTLAB_KAFKA_HOME", str(home))
    before = picture(tmp_path)
    for find in (jars.find, jars.fetch):
        with refused(KafkaNotFound, home, "EVENTLAB_KAFKA_HOME"):
            find()
    assert picture(tmp_path) == before


def test_a_chosen_kafka_that_is_absent_is_named(tmp_path, monkeypatch):
    """Item 5: a path with a typo, a file, the home of nobody."""
    (tmp_path / "file").write_text("no folder")
    for name in ("absent", "file"):
        monkeypatch.setenv("EVENTLAB_KAFKA_HOME", str(tmp_path / name))
        with refused(KafkaNotFound, tmp_path / name):
            jars.find()
    monkeypatch.setenv("EVENTLAB_KAFKA_HOME", "~nobody-of-this-name/kafka")
    with refused(InvalidSetting, "~nobody-of-this-name/kafka"):
        jars.find()


def test_a_colon_would_split_the_class_path(tmp_path, monkeypatch):
    """Java reads two folders where one was meant, and finds Kafka in neither."""
    home = make_kafka(tmp_path / "a:b", "kafka_2.13-4.4.0.jar")
    monkeypatch.setenv("EVENTLAB_KAFKA_HOME", str(home))
    with refused(KafkaNotFound, home):
        jars.find()


def test_an_unpacked_kafka_is_taken_as_it_is(tmp_path, monkeypatch):
    """All its jars, by whole paths, whatever folder one is in."""
    make_kafka(tmp_path / "kafka", "kafka_2.13-4.5.0.jar", "zstd.jar")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVENTLAB_KAFKA_HOME", "kafka")
    libs = tmp_path / "kafka" / "libs"
    assert jars.find() == jars.Kafka("4.5.0", (libs / "kafka_2.13-4.5.0.jar", libs / "zstd.jar"))
