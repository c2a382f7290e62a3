"""What passes a Docker engine's socket on, so that for one cluster the engine can go and come."""

from __future__ import annotations

import shutil
import socket
import threading
from contextlib import suppress

from eventlab.cluster import engine


class Relay:
    """A socket at `path` behind which the engine is, while it is open."""

    def __init__(self, path):
        self._engine = engine._host().removeprefix("unix://")
        self._path, self._ends = path, []
        self.address = f"unix://{path}"

    def open(self):
        """Let the engine be there."""
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(self._path))
        self._door.listen(64)
        threading.Thread(target=self._serve, args=[self._door]).start()

    def close(self):
        """Let it be away: who asks is refused, who was answered is hung up on."""
        self._path.unlink()
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        while self._ends:
            with suppress(OSError):
                self._ends.pop().shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        self.open()
        return self

    def __exit__(self, *exc_info):
        if self._path.exists():
            self.close()

    def _serve(self, door):
        with suppress(OSError):  # the door is closed
            while True:
                here, _ = door.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._engine)
                self._ends += [here, there]
                for ends in ((here, there), (there, here)):
                    threading.Thread(target=_pass_on, args=ends).start()


def _pass_on(source, target):
    with suppress(OSError), source.makefile("rb", 0) as read, target.makefile("wb", 0) as write:
        shutil.copyfileobj(read, write)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
