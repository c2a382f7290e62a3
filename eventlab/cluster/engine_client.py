"""A client of the Docker engine whose every question ends with an answer or with EngineAway.

Apart from `engine`, since it cannot be defined before `docker` is imported.
"""

from __future__ import annotations

from typing import Any

import docker
import requests

from eventlab.cluster import engine


class Client(docker.DockerClient):  # type: ignore[misc]
    """A `DockerClient` of the engine at this address; the rest is for `docker.APIClient`."""

    def __init__(self, host: str, **given: Any) -> None:
        self.api = _Api(host, **given)


class _Api(docker.APIClient):  # type: ignore[misc]
    def __init__(self, host: str, **given: Any) -> None:
        self._host = host
        super().__init__(**given)

    def request(self, *args: Any, **given: Any) -> Any:
        """Ask, and say in our words when nobody answers: `docker` passes on what requests has."""
        try:
            return super().request(*args, **given)
        except requests.RequestException as error:
            raise engine.away(self._host, error) from None
