"""A cluster as a project of Docker Compose, made of docker-compose.yaml."""

from __future__ import annotations

import asyncio
import os
from typing import Any

UP = 180.0  # seconds; whoever asked for the start has a shorter deadline of its own


class Compose:
    """One project; `adopted` when somebody else has started it, who ends it too."""

    def __init__(self, launch: dict[str, Any]) -> None:
        self.adopted: bool = launch["adopted"]
        self._command: list[str] = launch["command"]
        self._environ: dict[str, str] = launch["environ"]

    async def up(self) -> None:
        """Make and start what is missing; RuntimeError with what Compose says."""
        # What somebody else has made is not made anew for other settings.
        made = ["--no-recreate"] if self.adopted else []
        await self._do("up", "--detach", "--quiet-pull", *made)

    async def down(self) -> None:
        """Remove containers, networks and volumes."""
        await self._do("down", "--volumes", "--remove-orphans", "--timeout", "1")

    async def _do(self, *verb: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *verb,
            env=os.environ | self._environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(UP):
                said, _ = await process.communicate()
        except BaseException:  # the end of the cluster, while it starts
            if process.returncode is None:
                process.terminate()
                await process.wait()
            raise
        if process.returncode:
            raise RuntimeError(said.decode("utf-8", "replace").strip()[-500:])
