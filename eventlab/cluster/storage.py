"""A node's data folder: formatted without a JVM, checked before it is used again.

Formatting writes a `meta.properties` and, for a controller, the bootstrap checkpoint of
`__cluster_metadata-0`, which finalises the features (KIP-1022). The checkpoint names no cluster
and no node, so one made by Kafka's own StorageTool (`prepare`) serves every cluster.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterable
from pathlib import Path

from eventlab import environment
from eventlab.errors import DataFolderUnusable

MARK = "eventlab.json"
METADATA = "__cluster_metadata-0"


def random_id() -> str:
    """Return a random Kafka Uuid: 22 characters of URL-safe base64, not starting with '-'."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes)[:22].decode()).startswith("-"):
        pass  # Kafka's Uuid.randomUuid avoids it too: it looks like an option
    return text


def format_node(data: Path, cluster_id: str, node_id: int, checkpoint: Path | None) -> None:
    """Format the data folder of a node that has none yet; a controller gets the checkpoint."""
    if (data / "meta.properties").exists():
        return
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if checkpoint:
        (data / METADATA).mkdir(mode=0o700, exist_ok=True)
        copy = data / METADATA / checkpoint.name
        copy.touch(0o600)
        shutil.copyfile(checkpoint, copy)
    lines = {
        "version": "1",
        "cluster.id": cluster_id,
        "node.id": str(node_id),
        "directory.id": random_id(),
    }
    text = "".join(f"{key}={value}\n" for key, value in lines.items())
    # Last: it says that the rest is there.
    environment.write_private(data / "meta.properties", text)


def quorum_leader(datas: Iterable[Path]) -> int:
    """Return the node_id of the active controller by what the nodes wrote of their quorum.

    Each keeps the youngest epoch that it knows, and its leader, in `quorum-state` (KIP-595). Asked
    over the network a broker forwards the question to a controller that may be cut off. -1 when
    the youngest epoch has no leader yet.
    """
    states = [read for data in datas if (read := _quorum_state(data / METADATA / "quorum-state"))]
    return max(states, default=(0, -1))[1]


def _quorum_state(file: Path) -> tuple[int, int] | None:
    try:
        told = json.loads(file.read_text("utf-8"))
        return int(told["leaderEpoch"]), int(told["leaderId"])
    except (OSError, ValueError, KeyError):  # not written yet, or being written
        return None


def claim(root: Path, kafka_version: str, node_ids: list[int]) -> str:
    """Return the cluster id of a named data folder, making the folder when it is new or empty.

    DataFolderUnusable, with nothing changed, when it holds anything but this cluster's data.
    """
    try:
        _refuse_unsafe(root)
        entries = {entry.name for entry in root.iterdir()} if root.exists() else set()
        if not entries:
            return _mark(root, kafka_version, node_ids)
        return _read_mark(root, entries, kafka_version, node_ids)
    except OSError as error:
        raise unusable(root, f"The system says: {error.strerror or error}.") from None


def _refuse_unsafe(root: Path) -> None:
    try:
        status = root.stat()
    except FileNotFoundError:
        if root.is_symlink():
            raise unusable(root, "It is a link to nothing.") from None
        return
    if not stat.S_ISDIR(status.st_mode):
        raise unusable(root, "It is not a folder.")
    if status.st_uid != os.getuid():
        raise unusable(root, "It belongs to another user.")
    if status.st_mode & 0o002:
        raise unusable(root, "Every user of this machine can write into it.")
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        raise unusable(root, "It is read-only.")


def _mark(root: Path, kafka_version: str, node_ids: list[int]) -> str:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    cluster_id = random_id()
    told = {"cluster_id": cluster_id, "kafka_version": kafka_version, "node_ids": node_ids}
    environment.write_private(root / MARK, json.dumps(told) + "\n")
    return cluster_id


def _read_mark(root: Path, entries: set[str], kafka_version: str, node_ids: list[int]) -> str:
    if MARK not in entries:
        raise unusable(root, "It holds files that eventlab did not make.")
    try:
        told = json.loads((root / MARK).read_text("utf-8"))
        cluster_id, version, nodes = told["cluster_id"], told["kafka_version"], told["node_ids"]
    except (ValueError, KeyError, TypeError):
        raise unusable(root, f"Its {MARK} cannot be read.") from None
    if version != kafka_version:
        raise unusable(root, f"It was made by Kafka {version}, this is Kafka {kafka_version}.")
    if nodes != node_ids:
        raise unusable(root, f"It belongs to a cluster of the nodes {nodes}, not {node_ids}.")
    for node_id in node_ids:
        _refuse_foreign(root, node_id, cluster_id)
    return str(cluster_id)


def _refuse_foreign(root: Path, node_id: int, cluster_id: str) -> None:
    place = root / f"node-{node_id}"
    data = place / "data"
    if place.exists() and not place.is_dir():
        raise unusable(root, f"Its node-{node_id} is not a folder.")
    if not data.exists():
        return
    meta = data / "meta.properties"
    text = meta.read_text("utf-8", "replace") if meta.is_file() else ""
    if f"cluster.id={cluster_id}\n" not in text or f"node.id={node_id}\n" not in text:
        raise unusable(
            root, f"The meta.properties of node-{node_id} is damaged or of another cluster."
        )


def unusable(root: Path, why: str) -> DataFolderUnusable:
    """Return the error for a data folder that is left as it is."""
    return DataFolderUnusable(
        f"The data folder {root} cannot be used.",
        why,
        "Name an empty or new folder in data=, or leave it out.",
    )
