"""What this user has made on a cluster that others run: remembered, for it alone may be deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from eventlab import environment
from eventlab.waiting import Deadline


class Made:
    """The topics that this user's eventlab has made on one cluster, by its id; a file in our home.

    A kernel that is restarted runs its cells again, and has to find its own topics.
    """

    def __init__(self, cluster_id: str) -> None:
        self._file = _folder() / f"{cluster_id}.json"

    def __contains__(self, topic: str) -> bool:
        return topic in self._read()

    def add(self, topic: str) -> None:
        """Remember a topic that was made."""
        with self._locked():
            self._write(self._read() | {topic})

    def forget(self, topic: str) -> None:
        """Forget a topic that was deleted: somebody else may make one of its name."""
        with self._locked():
            self._write(self._read() - {topic})

    def _read(self) -> set[str]:
        try:
            return set(json.loads(self._file.read_text("utf-8")))
        except (OSError, ValueError):  # there is none yet, or it is damaged: then nothing is ours
            return set()

    def _write(self, topics: set[str]) -> None:
        if not topics:
            self._file.unlink(missing_ok=True)
            return
        draft = self._file.with_suffix(".draft")
        environment.write_private(draft, json.dumps(sorted(topics)))
        draft.replace(self._file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with FileLock(self._file.with_name("lock"), timeout=Deadline(10).seconds):
            yield


def _folder() -> Path:
    return environment.private_folder(environment.home() / "external")
