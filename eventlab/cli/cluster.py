"""`eventlab up`, `down`, `status`, `logs`: a cluster without a notebook."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from typing import Any

from filelock import Timeout

from eventlab.cluster import control, launch, registry, show
from eventlab.cluster.attach import attach_or_launch
from eventlab.cluster.settings import Settings
from eventlab.errors import InvalidSetting


def up(options: argparse.Namespace) -> None:
    """Start the cluster, or attach to it; it stays until `down`, or as long as an owner does."""
    settings = Settings(
        options.name,
        options.brokers,
        options.profile,
        dict(_property(text) for text in options.property),
        options.port,
        options.data,
        backend=options.backend,
    )
    attach_or_launch(settings, options.owner or os.getpid())
    folder = registry.folder(options.name)
    state = control.ask(folder, "status" if options.owner else "keep")
    _print(state, options.json)


def _property(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InvalidSetting(
            "A broker property is KEY=VALUE.",
            f"You gave {text!r}.",
            "Use --property log.retention.ms=60000.",
        )
    return key, value


def down(options: argparse.Namespace) -> None:
    """End the cluster of this name, or all."""
    names = registry.names() if options.all else [options.name]
    ended = [name for name in names if registry.running(name)]
    for name in names:
        _end(name)
    if options.json:
        print(json.dumps({"ended": ended}))
    else:
        print(f"Ended: {', '.join(ended)}." if ended else "Nothing was running.")


def _end(name: str) -> None:
    launch.end_running(name)
    with contextlib.suppress(Timeout), registry.lock(name, 5):  # a start under way sweeps itself
        registry.sweep(name)


def status(options: argparse.Namespace) -> None:
    """Print the state of the cluster of this name."""
    state = registry.running(options.name)
    if state:
        _print(state, options.json)
    elif options.json:
        print(json.dumps({"name": options.name, "state": "not running"}))
    else:
        print(f"The cluster '{options.name}' is not running. Start it with `eventlab up`.")


def logs(options: argparse.Namespace) -> None:
    """Print the last lines of the nodes' logs."""
    state = registry.running(options.name)
    if not state:
        raise control.not_running(options.name, "nobody answers")
    nodes = [node["node_id"] for node in state["nodes"]]
    if options.node is not None and options.node not in nodes:
        raise InvalidSetting(
            f"The cluster '{options.name}' has no node {options.node}.",
            f"It has {', '.join(map(str, nodes))}.",
            f"Type `eventlab logs {nodes[0]}`.",
        )
    for node in nodes if options.node is None else [options.node]:
        print(f"--- node {node}")
        text = control.ask(registry.folder(options.name), "log", node_id=node)["log"]
        print("\n".join(text.splitlines()[-options.lines :]))


def _print(state: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"state": "running"} | state))
        return
    print(show.cluster_line(state))
    for node in state["nodes"]:
        print(" ", show.node_line(node))
