"""Attaching to the running cluster of a name, or starting it: one start at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filelock import Timeout

from eventlab.cluster import control, launch, registry
from eventlab.cluster.settings import Settings
from eventlab.errors import ClusterMismatch, ClusterNotRunning, NeverHappened


def attach_or_launch(settings: Settings, owner: int) -> dict[str, Any]:
    """Return the state of the cluster of these settings, now held by the process `owner`."""
    try:
        with registry.lock(settings.name, 180):
            state = _attach(settings, owner)
            if state is None or state["ending"]:  # one that is ending is waited for
                launch.end(settings.name)
                return launch.launch(settings.resolved(), owner)
            return state
    except Timeout:
        raise NeverHappened(
            f"Another start of the cluster '{settings.name}' did not finish.",
            "It was awaited for 180 seconds.",
            f"Type `eventlab down --name {settings.name}`, then try again.",
        ) from None


def _attach(settings: Settings, owner: int) -> dict[str, Any] | None:
    state = registry.running(settings.name)
    if state is None or state["ending"]:
        return state
    _refuse_other(settings, state)
    try:
        return control.ask(registry.folder(settings.name), "hold", pid=owner)
    except ClusterNotRunning:  # it ended between the two questions
        return None


def _refuse_other(settings: Settings, state: Mapping[str, Any]) -> None:
    has = state["settings"]
    other = {key: has[key] for key, value in settings.asked().items() if has[key] != value}
    if other:
        seen = ", ".join(f"{key}={value!r}" for key, value in other.items())
        raise ClusterMismatch(
            f"A cluster named '{settings.name}' is running with other settings.",
            f"It has {seen}.",
            "Attach without settings, or give yours another name=.",
        )
