"""The folder of a cluster is one that eventlab made: nothing else is ever removed."""

from __future__ import annotations

import json
import os

import pytest

from eventlab.cli import main
from eventlab.cluster import launch, process, registry
from eventlab.errors import InvalidSetting
from tests.unit.refusals import picture, refused


@pytest.mark.parametrize("way", ["..", ".", "../../documents", "{documents}", "", "a/b"])
def test_a_name_that_leads_elsewhere_is_refused(way, home, tmp_path, capsys):
    """`eventlab down --name ../x` must not take the user's documents for a dead cluster."""
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "thesis.txt").write_text("six months of work")
    registry.clusters()
    before = picture(tmp_path)
    name = way.format(documents=tmp_path / "documents")
    for act in (registry.folder, registry.running, registry.sweep, launch.end):
        with refused(InvalidSetting, name[:60]):  # a message cuts what is long
            act(name)
    for command in (["down"], ["status"], ["logs"]):
        assert main([*command, "--name", name]) == 1
        assert "cannot have this name" in capsys.readouterr().err
    assert picture(tmp_path) == before


def test_only_folders_with_a_clusters_name_are_clusters(home):
    """What a file manager leaves in the folder is neither listed nor ended."""
    for name in ("lab", ".Trash-0", "Lab 2"):
        (registry.clusters() / name).mkdir()
    (registry.clusters() / "lab.lock").touch()
    assert registry.names() == ["lab"]


def write_state(name: str, supervisor: int, **started: float) -> None:
    """Write what a supervisor writes for a later start."""
    registry.folder(name).mkdir()
    state = {"supervisor": supervisor, "started": started}
    (registry.folder(name) / "state.json").write_text(json.dumps(state))


def test_what_a_dead_supervisor_left_is_swept(home):
    """A folder whose processes are all gone is only in the way; other processes are spared."""
    mine = process.started_at(os.getpid())
    write_state("lab", 0, **{str(os.getpid()): mine - 3600, "999999999": 1.0})
    registry.sweep("lab")
    assert registry.names() == []


def test_a_living_supervisor_is_left_alone(home):
    """Its folder is in use, even while its socket does not answer."""
    write_state("lab", os.getpid(), **{str(os.getpid()): process.started_at(os.getpid())})
    registry.sweep("lab")
    assert registry.names() == ["lab"]


@pytest.mark.parametrize("content", ["", "{"])
def test_a_state_that_cannot_be_read_is_swept(content, home):
    """A disk that was full while it was written."""
    registry.folder("lab").mkdir()
    (registry.folder("lab") / "state.json").write_text(content)
    registry.sweep("lab")
    assert registry.names() == []


def test_sweeping_nothing_is_nothing(home):
    """Item 31: ending what never was."""
    registry.sweep("lab")
    launch.end("lab")
    assert registry.names() == []
    assert registry.running("lab") is None
