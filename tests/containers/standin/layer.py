"""An image of one layer, made of files and folders of this machine."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Layer:
    """What goes into an image, streamed to the engine as it is added."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self.tar = tarfile.open(fileobj=stream, mode="w|")  # noqa: SIM115 - closed by `image`
        self._there: set[str] = set()  # the engine refuses a path that comes twice

    def folder(self, path: str, owner: int = 0, mode: int = 0o755) -> None:
        """Add an empty folder."""
        self._add(path, owner, mode, tarfile.DIRTYPE)

    def text(self, path: str, text: str, mode: int = 0o644) -> None:
        """Add a file of this text."""
        self._add(path, 0, mode, tarfile.REGTYPE, text.encode())

    def link(self, path: str, to: str) -> None:
        """Add a symbolic link."""
        self._add(path, 0, 0o777, tarfile.SYMTYPE, to=to)

    def copy(self, source: Path, path: str) -> None:
        """Add a file or a folder with its times, to which Java's start-up cache is tied."""
        self.tar.add(source.resolve(), path.lstrip("/"), filter=self._once)

    def program(self, source: Path, path: str) -> None:
        """Add a program, and the libraries that it is linked to at their places."""
        self.copy(source, path)
        self.libraries(source)

    def libraries(self, source: Path) -> None:
        """Add the libraries of the system that a program is linked to."""
        for library in _linked(source):
            self.copy(library, str(library))

    def _add(
        self, path: str, owner: int, mode: int, kind: bytes, data: bytes = b"", to: str = ""
    ) -> None:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.type, entry.size, entry.mode, entry.linkname = kind, len(data), mode, to
        entry.uid = entry.gid = owner
        self.tar.addfile(entry, io.BytesIO(data))

    def _once(self, entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if entry.name in self._there:
            return None
        self._there.add(entry.name)
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry


def _linked(program: Path) -> list[Path]:
    """Return the shared libraries of the system that a program needs, the loader among them."""
    told = subprocess.run(["ldd", program], capture_output=True, text=True, timeout=10).stdout
    paths = re.findall(r"\s(/(?:usr/)?lib\S+) \(0x", told)
    return [Path(path) for path in paths]


@contextmanager
def image(tag: str, *changes: str) -> Iterator[Layer]:
    """Give a layer; after the block it is an image in the engine, with these instructions."""
    told = [part for change in changes for part in ("--change", change)]
    command = ["docker", "import", *told, "-", tag]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as importing:
        assert importing.stdin
        layer = Layer(importing.stdin)
        yield layer
        layer.tar.close()
        importing.stdin.close()
    if importing.returncode:
        raise OSError(f"docker import failed with {importing.returncode}")


def array(values: Iterable[str]) -> str:
    """Return what a Dockerfile's instruction takes as a list."""
    return json.dumps(list(values))
