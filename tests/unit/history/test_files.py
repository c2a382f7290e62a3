"""A history is a file and is loaded as it was; what is none, or is damaged, is refused."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest

from eventlab import history
from eventlab.errors import HistoryUnreadable
from eventlab.history import files
from tests.unit.history.story import P0, P1, Story
from tests.unit.refusals import refused


@pytest.fixture
def story():
    story = Story()
    producer, consumer = story.producer(), story.consumer()
    story.own(consumer, 1, [P0, P1])
    story.sends(producer, 20)
    story.send(producer, b"\x00\xff", P1, key=b"\xfe")
    story.poll(consumer, range(20))
    consumer.committed({P0: 20}, at=story.tick())
    story.run._log = story.log()
    return story


@pytest.fixture
def path(story, tmp_path):
    return story.run.save(tmp_path / "orders.npz")


def test_what_is_loaded_is_what_was_saved(story, path):
    """The same frames and the same verdict, from the final read that is in the file."""
    loaded = history.load(path)
    for name in ("operations", "sends", "reads", "assignments"):
        assert getattr(loaded, name)().equals(getattr(story.run, name)()), name
    assert str(loaded.verify()) == str(story.judge())
    assert repr(loaded) == repr(story.run)


def test_a_history_without_a_final_read_is_unknown(tmp_path):
    """It may still be looked at."""
    story = Story()
    story.sends(story.producer(), 3)
    loaded = history.load(story.run.save(tmp_path / "early.npz"))
    assert loaded.verify().outcome == "unknown"
    assert len(loaded.sends()) == 3


def test_the_file_is_named_after_the_run(story, tmp_path, monkeypatch):
    """Without a path it is in the current folder."""
    monkeypatch.chdir(tmp_path)
    assert story.run.save().name == "story.npz"
    assert history.load("story.npz").name == "story"


def test_nothing_in_a_file_is_executed(path):
    """No pickle: plain columns and JSON, readable without eventlab."""
    with np.load(path, allow_pickle=False) as file:
        assert all(column.dtype.kind in "iub" for column in file.values())
        assert json.loads(file["names"].tobytes())["name"] == "story"


def test_no_secret_of_a_client_is_in_a_file(story, tmp_path):
    """Where a run was is told by the cluster's id, not by how one gets in."""
    story.run._address = {"bootstrap_servers": "x:1", "sasl_plain_password": "hunter2"}
    assert b"hunter2" not in story.run.save(tmp_path / "secret.npz").read_bytes()


def rewritten(path, **changes):
    """Write the file with other columns; None leaves one out."""
    with np.load(path, allow_pickle=False) as file:
        columns = {name.replace(".", "__"): file[name] for name in file.files} | changes
    kept = {name.replace("__", "."): c for name, c in columns.items() if c is not None}
    np.savez(path, **kept)


def told(path, **changes):
    """Return the names of the file with changes."""
    with np.load(path, allow_pickle=False) as file:
        names = json.loads(file["names"].tobytes()) | changes
    return np.frombuffer(json.dumps(names).encode(), np.uint8)


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("orders"),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-200]),
    "one byte less": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "missing": lambda path: path.unlink(),
    "another npz": lambda path: np.savez(path, x=np.arange(3)),
    "compressed": lambda path: np.savez_compressed(path, x=np.zeros(10**6)),
    "a column less": lambda path: rewritten(path, sends__offset=None),
    "a shorter column": lambda path: rewritten(path, sends__offset=np.zeros(2, np.int64)),
    "another type": lambda path: rewritten(path, sends__offset=np.zeros(21)),
    "two dimensions": lambda path: rewritten(path, reads__offset=np.zeros((4, 5), np.int64)),
    "objects": lambda path: rewritten(path, sends__offset=np.array([{}] * 21, object)),
    "an unknown part": lambda path: rewritten(path, sends__part=np.full(21, 9, np.int32)),
    "an unknown outcome": lambda path: rewritten(path, sends__outcome=np.full(21, 7, np.int8)),
    "polls of nothing": lambda path: rewritten(path, reads__count=np.full(20, 2**40, np.int64)),
    "no order": lambda path: rewritten(path, log__offset=np.zeros(21, np.int64)),
    "no form": lambda path: rewritten(path, names=told(path, form="other")),
    "no processes": lambda path: rewritten(path, names=told(path, processes=[])),
    "nonsense for keys": lambda path: rewritten(path, names=told(path, keys=[1])),
    "no JSON": lambda path: rewritten(path, names=np.arange(5, dtype=np.uint8)),
    "a pickle": lambda path: path.write_bytes(b"\x80\x04cos\nsystem\n."),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_damaged_or_none_is_refused(path, damage):
    """One type of error, at once, whatever is wrong with it."""
    DAMAGES[damage](path)
    with refused(HistoryUnreadable, "orders.npz"):
        history.load(path)


def test_any_byte_may_be_damaged(path):
    """A flipped byte is refused, or changes a number: it never ends in a foreign error."""
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 300)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            history.load(path).verify()
        except HistoryUnreadable:
            continue


def test_a_bomb_is_not_unpacked(path, tmp_path):
    """A small file that claims to be large is refused before it is read."""
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("names.npy", bytes(50_000_000))
    path.write_bytes(bomb.getvalue())
    assert path.stat().st_size < 100_000
    with refused(HistoryUnreadable, "compressed"):
        files.load(path)


def test_a_place_that_cannot_be_written_is_told_as_the_system_tells_it(story, tmp_path):
    """Saving is plain writing: the error names the path."""
    with pytest.raises(OSError, match="nowhere"):
        story.run.save(tmp_path / "nowhere" / "orders.npz")
    assert list(tmp_path.iterdir()) == []
