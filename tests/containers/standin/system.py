"""What both stand-ins share: bash, and busybox for all else, as /bin/sh is ash on Alpine."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.containers.standin.layer import Layer

TOOLS = ("cat", "grep", "id", "ip", "kill", "ls", "nslookup", "ps", "sh", "tail")


def add(layer: Layer, user: str, uid: int) -> None:
    """Add programs, a user beside root, and a folder for what is temporary."""
    for tool in TOOLS:
        layer.link(f"/bin/{tool}", "busybox")
    layer.link("/usr/bin/env", "/bin/busybox")
    for program in ("busybox", "bash"):
        found = shutil.which(program)
        assert found, f"{program} is missing: apt-get install busybox-static bash"
        layer.program(Path(found), f"/bin/{program}")
    layer.folder("/tmp", mode=0o1777)
    layer.text("/etc/passwd", f"root:x:0:0::/:/bin/sh\n{user}:x:{uid}:{uid}::/:/bin/sh\n")
    layer.text("/etc/group", f"root:x:0:\n{user}:x:{uid}:\n")
