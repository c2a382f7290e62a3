"""Creating, deleting and listing topics, with errors that say what to type next."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from eventlab.errors import InvalidSetting, TopicMismatch, UnknownTopic, shown
from eventlab.waiting import wait_until

if TYPE_CHECKING:
    import pandas as pd

    from eventlab.cluster.admin import Admin

_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")  # Kafka's own rule for topic names
_MOST_PARTITIONS = 1000


def check(
    name: object, partitions: object, replicas: object, in_sync: object, brokers: int
) -> None:
    """Refuse what the cluster would refuse, before asking it."""
    if not (isinstance(name, str) and _NAME.fullmatch(name) and name not in (".", "..")):
        fix = "Use 1 to 249 ASCII letters, digits, '.', '_' or '-', such as 'orders'."
        raise InvalidSetting("A topic cannot have this name.", f"You gave {shown(name)}.", fix)
    _check_count("partitions", partitions, _MOST_PARTITIONS, "")
    _check_count("replication_factor", replicas, brokers, f"; there are {brokers} brokers")
    most = replicas if isinstance(replicas, int) else 1
    _check_count("min_insync_replicas", in_sync, most, "; it cannot exceed replication_factor")


def check_configs(configs: object) -> None:
    """Refuse configs that are no dict of names and values; what they mean Kafka knows."""
    if configs is None:
        return
    pairs = list(configs.items()) if isinstance(configs, Mapping) else [(None, None)]
    if not all(isinstance(k, str) and isinstance(v, str | int) for k, v in pairs):
        raise InvalidSetting(
            "The configs of a topic come as a dict.",
            f"You gave {shown(configs)}.",
            "Use configs={'retention.ms': '60000'}.",
        )


def _check_count(what: str, value: object, most: int, why: str) -> None:
    if type(value) is not int or not 1 <= value <= most:
        fix = f"Use a whole number from 1 to {most}{why}."
        raise InvalidSetting(f"{what} cannot be this.", f"You gave {shown(value)}.", fix)


def create(admin: Admin, name: str, shape: dict[str, Any], fresh: bool) -> None:
    """Create a topic of this shape; return when every broker knows all its leaders.

    A topic that has it already is left alone, so that a cell can be run again.
    """
    if fresh and name in admin.ask(lambda client: client.list_topics(), "The list of topics"):
        delete(admin, name)
    admin.ask(lambda client: _create(client, name, shape), f"The creation of '{name}'")
    brokers = admin.serving()
    admin.ask(lambda client: await_leaders(client, name, brokers), f"The creation of '{name}'")


def _create(client: Any, name: str, shape: dict[str, Any]) -> None:
    from kafka.errors import InvalidConfigurationError

    if name in client.list_topics():
        _refuse_other_shape(client, name, shape)
    else:
        configs = {"min.insync.replicas": str(shape["min_insync_replicas"])} | shape["configs"]
        wanted = {
            "num_partitions": shape["partitions"],
            "replication_factor": shape["replication_factor"],
            "configs": configs,
        }
        try:
            client.create_topics({name: wanted})
        except InvalidConfigurationError:
            raise InvalidSetting(
                f"Kafka does not take these configs for '{name}'.",
                f"You gave {shown(shape['configs'])}.",
                "Use names and values of Kafka's topic configs, such as {'retention.ms': '60000'}.",
            ) from None


def await_leaders(client: Any, name: str, brokers: Iterable[int]) -> None:
    """Return when every one of these brokers knows a leader of every partition of a topic.

    Brokers follow the controller each at its own pace (KRaft, KIP-631), and whoever asks next may
    ask another one.
    """

    def all_know() -> bool:
        told = [client._manager.run(_describe, client, name, node_id) for node_id in brokers]
        return all(parts and min(parts) >= 0 for parts in told)

    wait_until(all_know, 10, f"'{name}' has partitions without a leader.")


async def _describe(client: Any, name: str, node_id: int) -> list[int]:
    """Return the leaders of a topic's partitions as one broker knows them, none if it does not."""
    from kafka.protocol.metadata import MetadataRequest

    topic = MetadataRequest.MetadataRequestTopic(name=name)
    request = MetadataRequest(topics=[topic], allow_auto_topic_creation=False)
    # No public method of the admin client lets one choose the broker that answers.
    (found,) = (await client._manager.send(request, node_id=node_id)).topics
    return [part.leader_id for part in found.partitions] if not found.error_code else []


def _refuse_other_shape(client: Any, name: str, shape: dict[str, Any]) -> None:
    (row,) = rows(client, [name])
    other = [
        f"{key}={row[key]}"
        for key in ("partitions", "replication_factor", "min_insync_replicas")
        if row[key] != shape[key]
    ]
    if other:
        raise TopicMismatch(
            f"Topic '{name}' exists already, in another shape.",
            f"It has {', '.join(other)}.",
            "Pass fresh=True to delete it and its records first, or use another name.",
        )


def delete(admin: Admin, name: str) -> None:
    """Delete a topic and its records, and return when no broker lists it any more."""
    told = admin.ask(lambda client: rows(client, None), "The list of topics")
    topics = [row["topic"] for row in told]
    if name not in topics:
        near = difflib.get_close_matches(str(name), topics, 1)
        raise UnknownTopic(
            f"Topic {shown(name)} does not exist.",
            f"This cluster has: {', '.join(topics) or 'no topic'}.",
            f"Did you mean {near[0]!r}?" if near else "Look at cluster.topics().",
        )
    brokers = admin.serving()
    admin.ask(lambda client: _delete(client, name, brokers), f"The deletion of '{name}'")


def _delete(client: Any, name: str, brokers: Iterable[int]) -> None:
    if name in client.list_topics():  # not when an answer that got lost had deleted it
        client.delete_topics([name])

    def all_forgot() -> bool:
        return not any(client._manager.run(_describe, client, name, node) for node in brokers)

    wait_until(all_forgot, 10, f"'{name}' is still listed.")


def frame(admin: Admin) -> pd.DataFrame:
    """Return topic, partitions, replication_factor, min_insync_replicas of the learner's topics."""
    import pandas as pd  # imported late: half a second that a first look saves

    columns = ["topic", "partitions", "replication_factor", "min_insync_replicas"]
    told = admin.ask(lambda client: rows(client, None), "The list of topics")
    return pd.DataFrame(told, columns=columns)


def rows(client: Any, names: list[str] | None) -> list[dict[str, Any]]:
    """Return a dict for each topic that is not Kafka's own, sorted by name."""
    told = [topic for topic in client.describe_topics(names) if not topic["is_internal"]]
    in_sync = _min_insync(client, [topic["name"] for topic in told])
    return [
        {
            "topic": topic["name"],
            "partitions": len(topic["partitions"]),
            "replication_factor": max(len(p["replica_nodes"]) for p in topic["partitions"]),
            "min_insync_replicas": in_sync[topic["name"]],
        }
        for topic in sorted(told, key=lambda topic: str(topic["name"]))
    ]


def _min_insync(client: Any, names: list[str]) -> dict[str, int]:
    from kafka.admin import ConfigResource, ConfigResourceType

    if not names:
        return {}
    key = "min.insync.replicas"
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, {key: None}) for name in names]
    told = client.describe_configs(wanted, config_filter="all")
    return {name: int(configs[key]["value"]) for name, configs in told["topic"].items()}
