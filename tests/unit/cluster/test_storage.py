"""Data folders are formatted once, used again only by their own cluster, and never wiped."""

from __future__ import annotations

import base64
import json
import shutil
import uuid
from collections import namedtuple
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as some

from eventlab import Cluster
from eventlab.cluster import jars, registry, storage
from eventlab.errors import DataFolderUnusable, NotEnoughRoom
from tests.conftest import marked_processes
from tests.unit.refusals import as_ordinary_user, ordinary_folder, picture, refused

NODES = [100, 1, 2, 3]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data folder of a cluster of this Kafka, formatted as a start leaves it."""
    root = tmp_path / "data"
    cluster_id = storage.claim(root, jars.VERSION, NODES)
    for node_id in NODES:
        storage.format_node(root / f"node-{node_id}" / "data", cluster_id, node_id, None)
    return root


def assert_left_as_it_is(root: Path, name: str, seen: str, changed: Path | None = None) -> None:
    """Check that a start on this folder is refused and changes nothing in it."""
    before = picture(changed or root)
    with refused(DataFolderUnusable, root, seen):
        Cluster.start(name, data=root)
    assert picture(changed or root) == before
    assert not registry.folder(name).exists()
    assert not marked_processes(name)


def meta(root: Path, node_id: int = 2) -> Path:
    """Return the file by which Kafka knows a node's folder."""
    return root / f"node-{node_id}" / "data" / "meta.properties"


def test_a_folder_is_claimed_once_and_known_again(data):
    """A later start of the same nodes gets the same cluster id."""
    told = json.loads((data / storage.MARK).read_text("utf-8"))
    assert storage.claim(data, jars.VERSION, NODES) == told["cluster_id"]
    assert f"cluster.id={told['cluster_id']}\n" in meta(data).read_text("utf-8")


def test_formatting_again_changes_nothing(data):
    """A node that stopped has records; a second format must not make it a new one."""
    before = picture(data)
    storage.format_node(meta(data).parent, storage.random_id(), 2, None)
    assert picture(data) == before


def test_what_is_formatted_is_private(tmp_path):
    """Records are the user's own: folders 0700, files 0600, whatever the umask is."""
    checkpoint = tmp_path / "00.checkpoint"
    checkpoint.write_bytes(b"checkpoint")
    root = tmp_path / "new"
    storage.format_node(root, storage.claim(root, jars.VERSION, [1]), 1, checkpoint)
    assert (root / storage.METADATA / checkpoint.name).read_bytes() == b"checkpoint"
    modes = {path.name: path.stat().st_mode & 0o777 for path in [root, *root.rglob("*")]}
    assert modes == {
        "new": 0o700,
        storage.METADATA: 0o700,
        "00.checkpoint": 0o600,
        "meta.properties": 0o600,
        storage.MARK: 0o600,
    }


@given(some.lists(some.uuids(version=4), max_size=20))
def test_random_ids_are_kafkas(drawn):
    """22 characters of URL-safe base64 of a UUID; one that looks like an option is not taken."""
    last = uuid.UUID("12345678-1234-4234-9234-123456789abc")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uuid, "uuid4", iter([*drawn, last]).__next__)
        text = storage.random_id()
    assert len(text) == 22
    made = uuid.UUID(bytes=base64.urlsafe_b64decode(text + "=="))
    dashed = [number.bytes[0] >> 2 == 62 for number in [*drawn, last]]  # '-' is number 62
    assert made == [*drawn, last][dashed.index(False)]


def test_the_data_of_another_cluster_is_refused(data, name, tmp_path):
    """Item 26: a node's folder was copied from another cluster."""
    other = tmp_path / "other"
    storage.format_node(other, storage.random_id(), 2, None)
    shutil.copyfile(other / "meta.properties", meta(data))
    assert_left_as_it_is(data, name, "node-2 is damaged or of another cluster")


def test_the_data_of_another_node_is_refused(data, name):
    """Item 26: two nodes' folders were swapped."""
    shutil.copyfile(meta(data, 1), meta(data, 2))
    assert_left_as_it_is(data, name, "node-2 is damaged or of another cluster")


def test_the_data_of_another_kafka_is_refused(data, name):
    """Item 26: an older Kafka cannot read what a newer one wrote, and need not say so."""
    told = json.loads((data / storage.MARK).read_text("utf-8"))
    (data / storage.MARK).write_text(json.dumps(told | {"kafka_version": "4.9.9"}))
    assert_left_as_it_is(data, name, f"made by Kafka 4.9.9, this is Kafka {jars.VERSION}")


def test_the_data_of_other_nodes_is_refused(data, name):
    """Item 26: three brokers' records are not those of one."""
    before = picture(data)
    with refused(DataFolderUnusable, data, "[100, 1, 2, 3], not [100, 1]"):
        Cluster.start(name, data=data, brokers=1)
    assert picture(data) == before


@pytest.mark.parametrize("content", ["", "version=1\n", "\0\0\0"])
def test_a_half_formatted_folder_is_refused(content, data, name):
    """Item 27: a full disk or a power cut left meta.properties empty."""
    meta(data).write_text(content)
    assert_left_as_it_is(data, name, "node-2 is damaged")


def test_a_folder_that_lost_its_meta_properties_is_refused(data, name):
    """Item 27: Kafka would take it for a new one and the records for nothing."""
    meta(data).unlink()
    assert_left_as_it_is(data, name, "node-2 is damaged")


@pytest.mark.parametrize("content", ["", "{", "[]", "5", "{}", '{"cluster_id": "x"}', "\xff"])
def test_a_mark_that_cannot_be_read_is_refused(content, data, name):
    """Item 27: what eventlab wrote itself is damaged."""
    (data / storage.MARK).write_bytes(content.encode("latin-1"))
    assert_left_as_it_is(data, name, storage.MARK)


def test_a_folder_with_other_files_is_refused(tmp_path, name):
    """Item 27: somebody's documents."""
    (tmp_path / "thesis.txt").write_text("six months of work")
    assert_left_as_it_is(tmp_path, name, "files that eventlab did not make")


def test_a_link_in_a_circle_is_refused(tmp_path, name):
    """Item 27: a symlink loop."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert_left_as_it_is(tmp_path / "a", name, "symbolic links", changed=tmp_path)


def test_a_link_to_nothing_is_refused(tmp_path, name):
    """Item 27: the disk that it leads to is not there."""
    (tmp_path / "a").symlink_to("gone")
    assert_left_as_it_is(tmp_path / "a", name, "link to nothing", changed=tmp_path)


def test_a_file_is_no_folder(tmp_path, name):
    """Item 27: a file, at the place itself, above it, or in a node's place."""
    (tmp_path / "file").write_text("no folder")
    assert_left_as_it_is(tmp_path / "file", name, "not a folder")
    assert_left_as_it_is(tmp_path / "file" / "data", name, "Not a directory", changed=tmp_path)


def test_a_file_in_a_nodes_place_is_refused(data, name):
    """Item 27: a file where a node's folder should be."""
    shutil.rmtree(data / "node-3")
    (data / "node-3").write_text("no folder")
    assert_left_as_it_is(data, name, "node-3 is not a folder")


def test_a_name_that_is_too_long_is_refused(tmp_path, name):
    """Item 27: no file system has such names."""
    assert_left_as_it_is(tmp_path / ("x" * 300), name, "too long", changed=tmp_path)


def test_a_folder_that_everybody_can_write_into_is_refused(data, name):
    """Item 27: another user could put records into it."""
    data.chmod(0o777)
    assert_left_as_it_is(data, name, "Every user")


def claim(root: Path) -> str:
    """Claim a folder for a cluster, as an ordinary user."""
    return str(as_ordinary_user(lambda: storage.claim(root, jars.VERSION, NODES)))


def test_a_read_only_folder_is_refused():
    """Item 27: read-only, by its own mode or by that of the folder above."""
    with ordinary_folder() as folder:
        root = folder / "data"
        claim(root)
        root.chmod(0o500)
        before = picture(root)
        with refused(DataFolderUnusable, root, "read-only"):
            claim(root)
        folder.chmod(0o500)
        with refused(DataFolderUnusable, folder / "new", "Permission denied"):
            claim(folder / "new")
        assert picture(root) == before
        folder.chmod(0o700)
        root.chmod(0o700)


def test_the_folder_of_another_user_is_refused():
    """Item 27: a name in a shared folder that somebody else has taken."""
    root = Path("/")
    with refused(DataFolderUnusable, "belongs to another user"):
        claim(root)


def test_a_folder_that_nobody_may_look_into_is_refused(name):
    """Item 27: where even asking what is there is not allowed."""
    with ordinary_folder() as folder:
        folder.chmod(0)
        with refused(DataFolderUnusable, "Permission denied"):
            claim(folder / "data")
        folder.chmod(0o700)


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, name, monkeypatch):
    """Items 27 and 28: less room than a lesson's records take."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 123 * 2**20))
    with refused(NotEnoughRoom, "500 MiB, 123 are free", "disk"):
        Cluster.start(name, data=tmp_path / "data")
    with refused(NotEnoughRoom, "EVENTLAB_HOME"):
        Cluster.start(name)
    assert list(tmp_path.iterdir()) == []
    assert not registry.folder(name).exists()


def test_too_little_memory_is_told_with_the_figures(name, monkeypatch):
    """Item 29: a start that begins to swap would take minutes."""
    memory = namedtuple("memory", "available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(600 * 2**20))
    with refused(NotEnoughRoom, "640 MiB, 600 are free", "memory", "profile='small'"):
        Cluster.start(name)
    with refused(NotEnoughRoom, "1600 MiB", "memory"):
        Cluster.start(name, profile="stock")
    assert not registry.folder(name).exists()
    assert not marked_processes(name)
