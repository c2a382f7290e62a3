"""The variables that steer eventlab, the ones it ignores, and the folder it keeps its files in."""

from __future__ import annotations

import os
import re
import sys
import warnings
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as some

from eventlab import Cluster, environment
from eventlab.errors import HomeNotWritable, InvalidSetting, NotSupported
from tests.unit.refusals import (
    as_ordinary_user,
    assert_three_sentences,
    ordinary_folder,
    picture,
    refused,
)


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch):
    """Let each test hear what is said once a process."""
    monkeypatch.setattr(environment, "_said", set())


def mode(folder: Path) -> int:
    """Return the permissions of a folder."""
    return folder.stat().st_mode & 0o777


BAD_PATIENCE = ["three", "-1", "0", "1e99", "nan", "inf", "-inf", "0.09", "101", "1,5", "0x2"]
BAD_PORTS = [
    "abc", "20000", "-", "20000-", "-20000", "1e99", "nan", "1e4-2e4", "30000-20000", "80-90",
    "20000-65536", "20000-99999", "20000:20010", "20000 - 20010", "-1--2", "9" * 5000 + "-1",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_PATIENCE)
def test_a_patience_that_is_none_is_refused(text, monkeypatch):
    """Item 9: not a number, negative, 1e99, not even a number by its name."""
    monkeypatch.setenv("EVENTLAB_PATIENCE", text)
    with pytest.raises(InvalidSetting, match=text) as caught:
        environment.patience()
    assert_three_sentences(caught.value)


@pytest.mark.parametrize("text", BAD_PATIENCE)
def test_a_patience_that_is_none_starts_nothing(text, name, monkeypatch):
    """Item 9: it is looked at before the first wait."""
    monkeypatch.setenv("EVENTLAB_PATIENCE", text)
    with pytest.raises(InvalidSetting, match="EVENTLAB_PATIENCE"):
        Cluster.start(name)
    monkeypatch.delenv("EVENTLAB_PATIENCE")


@pytest.mark.parametrize("text", BAD_PORTS)
def test_a_range_of_ports_that_is_none_is_refused(text, monkeypatch):
    """Item 9: not a range, not ports, the wrong way round, 5000 digits."""
    monkeypatch.setenv("EVENTLAB_PORTS", text)
    with refused(InvalidSetting, "EVENTLAB_PORTS", text[:50]):
        environment.port_range()


@given(some.integers(1024, 65535), some.integers(1024, 65535))
def test_any_range_of_ports_is_taken_as_it_is(low, high):
    """Both ends belong to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVENTLAB_PORTS", f"{min(low, high)}-{max(low, high)}")
        ports = environment.port_range()
    assert (ports[0], ports[-1]) == (min(low, high), max(low, high))


def test_an_empty_variable_is_an_unset_one(monkeypatch):
    """Item 10: `EVENTLAB_PORTS=` in a shell's start file."""
    for name in environment.KNOWN:
        monkeypatch.setenv(name, "")
    assert environment.patience() == 1
    assert environment.port_range() == range(20_000, 30_000)
    assert environment.named_folder("EVENTLAB_HOME") is None


def heard(act) -> list[str]:
    """Return what is warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("EVENTLAB_PORT", "Did you mean EVENTLAB_PORTS?"),
        ("EVENTLAB_JAVAHOME", "Did you mean EVENTLAB_JAVA_HOME?"),
        ("EVENTLAB_ZQ", "It knows EVENTLAB_HOME, "),
    ],
)
def test_a_variable_nobody_knows_is_warned_of_once(name, seen, monkeypatch):
    """Item 8: a typo would otherwise change nothing without a word."""
    monkeypatch.setenv(name, "x")
    (said,) = heard(Cluster)
    assert said.startswith(f"{name} means nothing to eventlab.")
    assert seen in said
    assert heard(Cluster) == []


def test_what_java_reads_is_ignored_and_said_so_once(monkeypatch):
    """Item 11: JMX_PORT and the like are kept from the brokers."""
    for name in ("JMX_PORT", "JAVA_TOOL_OPTIONS", "CLASSPATH"):
        monkeypatch.setenv(name, "9999")
    monkeypatch.setenv("KAFKA_OPTS", "")
    (said,) = heard(Cluster)
    assert "JMX_PORT, JAVA_TOOL_OPTIONS, CLASSPATH" in said
    assert "KAFKA_OPTS" not in said
    assert heard(Cluster) == []


def test_nothing_is_said_of_a_clean_environment(monkeypatch):
    """Variables that mean something are no reason to speak."""
    monkeypatch.setenv("EVENTLAB_PROFILE", "lab")
    assert heard(Cluster) == []


def test_nothing_is_said_of_what_the_compose_file_reads(monkeypatch):
    """Its variables are exported once and stay set in the shell in which lessons run later."""
    text = (Path(__file__).parents[2] / "docker-compose.yaml").read_text()
    names = set(re.findall(r"\bEVENTLAB_[A-Z_0-9]+", text))
    assert "EVENTLAB_POSTGRES_PASSWORD" in names
    for name in names:
        monkeypatch.setenv(name, "x")
    assert heard(environment.warn_of_unknown_names) == []


def test_a_new_home_is_private(home):
    """Data, logs and the control socket are the user's own."""
    assert environment.home() == home
    assert mode(home) == 0o700
    (home / "sub").mkdir()
    assert environment.home() == home


def test_an_empty_folder_becomes_private(tmp_path, monkeypatch):
    """One that the user has just made for it."""
    tmp_path.chmod(0o755)
    monkeypatch.setenv("EVENTLAB_HOME", str(tmp_path))
    environment.home()
    assert mode(tmp_path) == 0o700


def test_a_folder_with_other_things_keeps_its_mode(tmp_path, monkeypatch):
    """EVENTLAB_HOME=~ must not lock other programs out of the user's home folder."""
    (tmp_path / "thesis.txt").write_text("six months of work")
    tmp_path.chmod(0o755)
    monkeypatch.setenv("EVENTLAB_HOME", str(tmp_path))
    environment.home()
    assert mode(tmp_path) == 0o755
    assert mode(environment.private_folder(tmp_path / "clusters")) == 0o700


def test_a_folder_of_everybody_is_refused(tmp_path, monkeypatch):
    """The shared temporary folder: others could put their jars into it."""
    tmp_path.chmod(0o1777)
    monkeypatch.setenv("EVENTLAB_HOME", str(tmp_path))
    with refused(HomeNotWritable, tmp_path, "EVENTLAB_HOME"):
        environment.home()
    assert tmp_path.stat().st_mode & 0o7777 == 0o1777
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_home_is_refused():
    """Item 7: it is neither used nor made writable."""
    with ordinary_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVENTLAB_HOME", str(folder))
        folder.chmod(0o500)
        before = picture(folder)
        with refused(HomeNotWritable, folder, "read-only"):
            as_ordinary_user(environment.home)
        patch.setenv("EVENTLAB_HOME", str(folder / "new"))
        with refused(HomeNotWritable, folder / "new", "Permission denied"):
            as_ordinary_user(environment.home)
        assert picture(folder) == before
        folder.chmod(0o700)


def test_the_home_of_another_user_is_refused(monkeypatch):
    """Item 7: whoever owns a folder can replace what is in it."""
    monkeypatch.setenv("EVENTLAB_HOME", "/")
    with refused(HomeNotWritable, "belongs to another user"):
        as_ordinary_user(environment.home)


@pytest.mark.parametrize("place", ["file", "file/below", "loop", "x" * 300, "a:b", "a,b"])
def test_a_home_that_cannot_be_is_refused(place, tmp_path, monkeypatch):
    """Item 7: a file, a symlink loop, a name too long, one that Java or Kafka would split."""
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "loop").symlink_to("loop")
    before = picture(tmp_path)
    monkeypatch.setenv("EVENTLAB_HOME", str(tmp_path / place))
    with refused(HomeNotWritable, place[:50], "EVENTLAB_HOME"):
        environment.home()
    assert picture(tmp_path) == before


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    """A container's user id that no table knows: `~` is not a folder to be made."""
    monkeypatch.setenv("EVENTLAB_HOME", "")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: Path("~/.cache/eventlab"))
    with refused(HomeNotWritable, "no home folder", "EVENTLAB_HOME"):
        environment.home()
    monkeypatch.setenv("EVENTLAB_HOME", "~nobody-of-this-name")
    with refused(InvalidSetting, "EVENTLAB_HOME", "~nobody-of-this-name"):
        environment.home()


def test_a_home_is_a_whole_path(tmp_path, monkeypatch):
    """Nodes run in folders of their own, where a relative name leads nowhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVENTLAB_HOME", "home")
    assert environment.home() == tmp_path / "home"


@pytest.mark.parametrize("platform", ["win32", "cygwin"])
def test_windows_itself_is_not_supported(platform, name, monkeypatch):
    """Item 15: brokers are frozen and killed by signals that Windows does not have."""
    monkeypatch.setattr(sys, "platform", platform)
    with refused(NotSupported, platform, "WSL2"):
        environment.home()
    with refused(NotSupported, platform, "WSL2"):
        Cluster.start(name)
    monkeypatch.undo()


def test_a_private_file_is_private_whatever_the_umask_is(tmp_path):
    """The launch file names every port and folder."""
    before = os.umask(0)
    try:
        environment.write_private(tmp_path / "file", "é\n")
    finally:
        os.umask(before)
    assert mode(tmp_path / "file") == 0o600
    assert (tmp_path / "file").read_text("utf-8") == "é\n"
