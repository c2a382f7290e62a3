"""Creating, deleting and listing topics, with errors that say what to type next."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from eventlab.errors import InvalidSetting, TopicMismatch, UnknownTopic, instead, shown
from eventlab.waiting import wait_until

if TYPE_CHECKING:
    import pandas as pd

    from eventlab.cluster.admin import Admin

NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")  # Kafka's own rule for topic names
_MOST_PARTITIONS = 1000
_PREFERRED = 0  # Kafka's ElectionType; 1 is an unclean one


def check(
    name: object, partitions: object, replicas: object, in_sync: object, brokers: int
) -> None:
    """Refuse what the cluster would refuse, before asking it."""
    check_name(name)
    _check_count("partitions", partitions, _MOST_PARTITIONS, "")
    _check_count("replication_factor", replicas, brokers, f"; there are {brokers} brokers")
    most = replicas if isinstance(replicas, int) else 1
    _check_count("min_insync_replicas", in_sync, most, "; it cannot exceed replication_factor")


def check_name(name: object) -> None:
    """Refuse a name that no topic can have."""
    if not (isinstance(name, str) and NAME.fullmatch(name) and name not in (".", "..")):
        fix = "Use 1 to 249 ASCII letters, digits, '.', '_' or '-', such as 'orders'."
        raise InvalidSetting("A topic cannot have this name.", f"You gave {shown(name)}.", fix)


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


class Part(NamedTuple):
    """A partition as a broker tells of it: node_ids, the leader's -1 where there is none."""

    leader: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]


def partitions(admin: Admin, name: str) -> dict[int, Part]:
    """Return the partitions of a topic as a broker that runs and is not cut off tells of them.

    Whoever asks while others are frozen must not wait for those.
    """

    def told(client: Any) -> dict[int, Part]:
        node_id = next(iter(admin.serving()))
        found: dict[int, Part] = client._manager.run(_describe, client, str(name), node_id)
        return found

    found = admin.ask(told, f"The question for '{name}'")
    if not found:
        raise unknown(name, sorted(admin.ask(lambda c: c.list_topics(), "The list of topics")))
    return found


def partition(admin: Admin, name: str, number: int) -> Part:
    """Return one partition of a topic; InvalidSetting when it has none of this number."""
    found = partitions(admin, name)
    if type(number) is not int or number not in found:
        raise InvalidSetting(
            f"Topic '{name}' has no partition {shown(number)}.",
            f"It has {', '.join(map(str, sorted(found)))}.",
            "Use one of them.",
        )
    return found[number]


def create(admin: Admin, name: str, shape: dict[str, Any], fresh: bool) -> bool:
    """Create a topic of this shape; return when every broker knows all its leaders.

    A topic that has it already is left alone, so that a cell can be run again, and False returned.
    """
    if fresh and name in admin.ask(lambda client: client.list_topics(), "The list of topics"):
        delete(admin, name)
    made = admin.ask(lambda client: _create(client, name, shape), f"The creation of '{name}'")
    brokers = admin.serving()
    admin.ask(lambda client: await_leaders(client, name, brokers), f"The creation of '{name}'")
    return made


def _create(client: Any, name: str, shape: dict[str, Any]) -> bool:
    from kafka.errors import InvalidConfigurationError

    there = name in client.list_topics()
    if there:
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
    return not there


def await_leaders(client: Any, name: str, brokers: Iterable[int]) -> None:
    """Return when every one of these brokers knows a leader of every partition of a topic.

    Brokers follow the controller each at its own pace (KRaft, KIP-631), and whoever asks next may
    ask another one.
    """

    def all_know() -> bool:
        told = [client._manager.run(_describe, client, name, node_id) for node_id in brokers]
        return all(parts and all(p.leader >= 0 for p in parts.values()) for parts in told)

    wait_until(all_know, 10, f"'{name}' has partitions without a leader.")


async def _describe(client: Any, name: str, node_id: int) -> dict[int, Part]:
    """Return the partitions of a topic as one broker knows them, none if it does not."""
    from kafka.protocol.metadata import MetadataRequest

    topic = MetadataRequest.MetadataRequestTopic(name=name)
    request = MetadataRequest(topics=[topic], allow_auto_topic_creation=False)
    # No public method of the admin client lets one choose the broker that answers.
    (found,) = (await client._manager.send(request, node_id=node_id)).topics
    parts = [] if found.error_code else found.partitions
    return {
        part.partition_index: Part(part.leader_id, tuple(part.replica_nodes), tuple(part.isr_nodes))
        for part in parts
    }


def _refuse_other_shape(client: Any, name: str, shape: dict[str, Any]) -> None:
    from kafka.errors import UnknownTopicOrPartitionError

    told = rows(client, [name])
    if not told:  # it was deleted meanwhile, or not every broker knows of it: it is asked again
        raise UnknownTopicOrPartitionError(name)
    (row,) = told
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
    told = admin.ask(lambda client: _described(client, None), "The list of topics")
    topics = sorted(topic["name"] for topic in told)
    if name not in topics:
        raise unknown(name, topics)
    brokers = admin.serving()
    admin.ask(lambda client: _delete(client, name, brokers), f"The deletion of '{name}'")


def unknown(name: object, topics: Sequence[str]) -> UnknownTopic:
    """Return the error for a topic that is not there, with the name that is nearest."""
    there, fix = instead(name, topics, "Look at cluster.topics().")
    return UnknownTopic(f"Topic {shown(name)} does not exist.", there, fix)


def _delete(client: Any, name: str, brokers: Iterable[int]) -> None:
    if name in client.list_topics():  # not when an answer that got lost had deleted it
        client.delete_topics([name])

    def all_forgot() -> bool:
        return not any(client._manager.run(_describe, client, name, node) for node in brokers)

    wait_until(all_forgot, 10, f"'{name}' is still listed.")


def elect_preferred(admin: Admin, name: str) -> None:
    """Let the first replica of each partition lead it; return when it does (KIP-460)."""
    numbers = sorted(partitions(admin, name))
    what = f"The election of the preferred leaders of '{name}'"
    admin.ask(lambda client: client.elect_leaders(_PREFERRED, {name: numbers}), what)

    def all_lead() -> bool:
        return all(part.leader == part.replicas[0] for part in partitions(admin, name).values())

    wait_until(all_lead, 10, f"Not all first replicas of '{name}' lead.")


def frame(admin: Admin) -> pd.DataFrame:
    """Return topic, partitions, replication_factor, min_insync_replicas of the learner's topics."""
    import pandas as pd  # imported late: half a second that a first look saves

    columns = ["topic", "partitions", "replication_factor", "min_insync_replicas"]
    told = admin.ask(lambda client: rows(client, None), "The list of topics")
    return pd.DataFrame(told, columns=columns)


def rows(client: Any, names: list[str] | None) -> list[dict[str, Any]]:
    """Return a dict for each topic that is not Kafka's own, sorted by name.

    One that goes or comes meanwhile, of which the broker that tells the settings does not know, is
    left out.
    """
    told = _described(client, names)
    in_sync = _min_insync(client, [topic["name"] for topic in told])
    return [
        {
            "topic": topic["name"],
            "partitions": len(topic["partitions"]),
            "replication_factor": max(len(p["replica_nodes"]) for p in topic["partitions"]),
            "min_insync_replicas": in_sync[topic["name"]],
        }
        for topic in sorted(told, key=lambda topic: str(topic["name"]))
        if topic["name"] in in_sync
    ]


def _described(client: Any, names: list[str] | None) -> list[dict[str, Any]]:
    """Return the topics that there are, of these names or all, without Kafka's own."""
    told = client.describe_topics(names)
    return [topic for topic in told if topic["partitions"] and not topic["is_internal"]]


def _min_insync(client: Any, names: list[str]) -> dict[str, int]:
    from kafka.admin import ConfigResource, ConfigResourceType

    if not names:
        return {}
    key = "min.insync.replicas"
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, {key: None}) for name in names]
    told = client.describe_configs(wanted, config_filter="all")
    known = {name: each[key] for name, each in told["topic"].items() if key in each}
    return {name: int(each["value"]) for name, each in known.items()}
