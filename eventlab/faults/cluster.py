"""What concerns a whole cluster: its record of faults, mending them all, a rolling restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventlab.cluster import control
from eventlab.cluster.cluster import Cluster
from eventlab.faults import targets
from eventlab.faults.signals import broker_stopped
from eventlab.progress import Progress
from eventlab.waiting import seconds, wait_until

if TYPE_CHECKING:
    import pandas as pd


def rolling_restart(cluster: Cluster, within: float = 120.0) -> None:
    """Restart the brokers one after the other, each when all replicas are in sync again.

    NeverHappened when they are not in time. A broker that is stopped when it is interrupted is
    started all the same.
    """
    seconds("within", within, below=targets.WEEK)
    brokers = targets.ours(cluster).brokers
    with Progress(f"Restarting {len(brokers)} brokers", "brokers") as bar:
        for done, node_id in enumerate(brokers):
            bar(done, len(brokers))
            with broker_stopped(cluster, node_id):
                pass
            wait_until(lambda: _in_sync(cluster), within, "Some replicas are not in sync.")


def mend(cluster: Cluster) -> int:
    """Mend whatever is broken, whoever broke it; return how many faults were on."""
    broken = [fault["token"] for fault in targets.told(targets.ours(cluster)) if not fault["end"]]
    control.ask(cluster.folder, "mend", 90, tokens=broken)
    return len(broken)


def frame(cluster: Cluster) -> pd.DataFrame:
    """Return start, end, fault, target, nodes of every fault of the cluster; `end` is NaT while on.

    What was done with `cluster.brokers[1].kill()` and the like is among them.
    """
    import pandas as pd  # imported late: a fault must not wait for it

    rows = pd.DataFrame(
        targets.told(targets.ours(cluster)), columns=["start", "end", "fault", "target", "nodes"]
    )
    for column in ("start", "end"):
        moments = pd.to_datetime(rows[column].astype("int64"), utc=True)
        rows[column] = moments.where(rows[column] != 0)
    return rows.assign(nodes=rows["nodes"].map(tuple))


def _in_sync(cluster: Cluster) -> bool:
    told = cluster._admin.ask(lambda client: client.describe_topics(None), "The topics")
    parts = [part for topic in told for part in topic["partitions"]]
    return all(len(part["isr_nodes"]) == len(part["replica_nodes"]) for part in parts)
