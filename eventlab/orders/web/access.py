"""Who may come in: a token for each start, a code that brings a browser in, names of this host.

The token is for the header `Authorization: Bearer ...` and the `auth` of Socket.IO's handshake. It
is in a file of mode 0600, and never in an address, in a log or in the repr of anything.

A page cannot read that file, and whoever opens it clicks an address. So the address has a code in
its fragment, which no browser sends; the page exchanges it for the token, once. It is no cookie:
other servers on 127.0.0.1 would be sent it too, since cookies do not know ports.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from eventlab.errors import InvalidSetting

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
CODE_LIVES = 600.0  # seconds
_MOST_CODES = 16
_SHORTEST = 32  # characters of a token


class Access:
    """The token, one of this start or one given, its codes, and the names it may be asked by."""

    def __init__(self, token: str | None = None) -> None:
        self._token = secrets.token_urlsafe(32) if token is None else _long(token)  # 256 bits
        self._codes: dict[str, float] = {}
        self._lock = threading.Lock()
        self.names = set(LOOPBACK)

    def knows(self, token: object) -> bool:
        """Say whether this is the token, in a time that does not depend on how much of it fits."""
        given = token if isinstance(token, str) else ""
        return secrets.compare_digest(given.encode("utf-8", "replace"), self._token.encode())

    def bearer(self, header: str) -> bool:
        """Say whether an Authorization header has the token."""
        scheme, _, token = header.partition(" ")
        return scheme.lower() == "bearer" and self.knows(token.strip())

    def code(self) -> str:
        """Return a new code that is good for one exchange within ten minutes."""
        code = secrets.token_urlsafe(16)
        with self._lock:
            while len(self._codes) >= _MOST_CODES:
                del self._codes[next(iter(self._codes))]
            self._codes[code] = time.monotonic() + CODE_LIVES
        return code

    def exchange(self, code: object) -> str | None:
        """Return the token for a code, which is worth nothing from then on."""
        given = (code if isinstance(code, str) else "").encode("utf-8", "replace")
        with self._lock:
            now = time.monotonic()
            found = [one for one in self._codes if secrets.compare_digest(one.encode(), given)]
            ends = max((self._codes.pop(one) for one in found), default=now)
        return self._token if ends > now else None

    def named(self, host: str) -> bool:
        """Say whether a Host header names this server: a page of another name may be rebound."""
        return _name(f"//{host}") in self.names

    def same_origin(self, origin: str, host: str) -> bool:
        """Say whether a page of this origin came from this server."""
        scheme, _, rest = origin.partition("://")
        return scheme in ("http", "https") and rest.lower() == host.lower()

    def write(self, path: Path) -> None:
        """Write the token into a new file that only this user can read."""
        path.unlink(missing_ok=True)  # O_EXCL: nobody else's file or link is written into
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self._token)

    def __repr__(self) -> str:
        return "<Access>"


def _long(token: str) -> str:
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable():
        raise InvalidSetting(
            "This is no token for the API.",
            f"It has {len(token)} characters.",
            f"Use {_SHORTEST} or more of ASCII, as `openssl rand -hex 32` prints them.",
        )
    return token


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
