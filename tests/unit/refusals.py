"""What all refusals share: three short sentences with the value seen, at once, nothing changed."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventlab import environment
from eventlab.errors import EventlabError

AT_ONCE = 1.0  # seconds: a guard against hanging, not a benchmark
NOBODY = 65534
SHORT = 600  # characters: room for a path in a sentence


def assert_three_sentences(error: EventlabError) -> None:
    """Check the form of a message: what happened, the value seen, what to type next."""
    assert len(error.args) == 3, error.args
    for sentence in error.args:
        assert sentence == sentence.strip()
        assert sentence
        assert len(sentence) <= SHORT, sentence
        assert "\n" not in sentence
        assert sentence[-1] in ".?", sentence
    assert str(error) == " ".join(error.args)


@contextlib.contextmanager
def refused(
    kind: type[EventlabError], *seen: object, within: float = AT_ONCE
) -> Iterator[pytest.ExceptionInfo]:
    """Expect a refusal of this type that shows each of `seen`, at once, in three sentences."""
    begun = time.monotonic()
    with pytest.raises(kind) as caught:
        yield caught
    assert time.monotonic() - begun < within * environment.patience() * _crowd()
    assert type(caught.value) is kind
    assert_three_sentences(caught.value)
    for text in seen:
        assert str(text) in str(caught.value)


def _crowd() -> float:
    """Return how many processes share a core: each of them gets that part of a second."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def picture(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return names, modes, times and contents of everything below a folder, to compare later."""
    found = {}
    for path in [root, *sorted(root.rglob("*"))]:
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
    return found


@contextlib.contextmanager
def ordinary_folder() -> Iterator[Path]:
    """Give a folder that an ordinary user owns: the one who runs the tests, unless it is root."""
    with tempfile.TemporaryDirectory(prefix="eventlab-") as name:
        if os.getuid() == 0:
            shutil.chown(name, NOBODY, NOBODY)
        yield Path(name)


def as_ordinary_user(act: Callable[[], object]) -> object:
    """Return or raise what `act` does as an ordinary user: root may write into what is read-only.

    The modules it needs are loaded already, so the user need not be able to read them.
    """
    if os.getuid() != 0:
        return act()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException), os.fdopen(writing, "wb") as told:
            pickle.dump(_outcome(act), told)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        outcome = pickle.load(told)
    os.waitpid(child, 0)
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _outcome(act: Callable[[], object]) -> object:
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return act()
    except BaseException as error:
        return error
