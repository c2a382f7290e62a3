"""What observation says of groups: members, commits, and lag as it is defined."""

from __future__ import annotations

import warnings

import confluent_kafka
import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.net.connection import KafkaConnection
from kafka.structs import OffsetAndMetadata

from eventlab import observe
from eventlab.errors import UnknownGroup
from eventlab.waiting import Deadline, wait_until
from tests.live.clients import member, nothing_kept_open, produce
from tests.unit.refusals import refused

LAG = ["current_offset", "log_end_offset", "lag", "committed"]


@pytest.fixture(autouse=True)
def _nothing_is_left_open_and_nobody_is_silent(cluster):
    """Each call closes what it opens; on a cluster that is well none has anything to warn of."""
    with nothing_kept_open(cluster), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


@pytest.fixture
def group(topic):
    """Return the name of a group of the test's own."""
    return f"group-of-{topic}"


def commit(consumer: KafkaConsumer, topic: str, offsets: dict[int, int]) -> None:
    """Commit these offsets, with a note."""
    consumer.commit(
        {TopicPartition(topic, n): OffsetAndMetadata(at, "note", -1) for n, at in offsets.items()}
    )


def test_lag_is_the_log_end_offset_less_the_committed_one(cluster, topic, group):
    """Of what was read and not committed nothing counts; each row names its owner."""
    acks = produce(cluster, topic, 60)
    ends = [sum(partition == number for partition, _ in acks) for number in range(3)]
    with member(cluster, group, topic) as consumer:
        commit(consumer, topic, {0: 1, 1: 2, 2: ends[2]})
        frame = observe.lag(cluster, group)
        (member_id,) = observe.members(cluster, group)["member_id"]
    assert list(frame["partition"]) == [0, 1, 2]
    assert list(frame["current_offset"]) == [1, 2, ends[2]]
    assert list(frame["log_end_offset"]) == ends
    assert list(frame["lag"]) == [ends[0] - 1, ends[1] - 2, 0]
    assert frame["committed"].all()
    assert set(frame["consumer_id"]) == {member_id}
    assert frame["lag_seconds"].isna().tolist() == [True, True, False]
    assert set(frame["client_id"]) == {"kafka-python-3.0.12"} or frame["client_id"].notna().all()


def test_a_group_that_never_committed_has_no_lag_and_says_so(cluster, topic, group):
    """Where it would begin is its own choice, so that a number would be a guess."""
    produce(cluster, topic, 9)
    with member(cluster, group, topic):
        frame = observe.lag(cluster, group)
        assert observe.offsets(cluster, group).empty
    assert len(frame) == 3
    assert not frame["committed"].any()
    assert frame[["current_offset", "lag", "lag_seconds"]].isna().all().all()
    assert frame["log_end_offset"].sum() == 9
    assert frame["consumer_id"].notna().all()


def test_a_partition_that_was_never_committed_is_one_of_the_rows(cluster, topic, group):
    """Two of three are committed: the third is not left out."""
    produce(cluster, topic, 9)
    with member(cluster, group, topic) as consumer:
        commit(consumer, topic, {0: 0, 2: 1})
        frame = observe.lag(cluster, group)
    assert list(frame["committed"]) == [True, False, True]
    assert frame["lag"].isna().tolist() == [False, True, False]


def test_a_group_without_members_keeps_its_lag_and_has_no_owner(cluster, topic, group):
    """Everybody left; what was committed stays, and so does what comes in meanwhile."""
    with member(cluster, group, topic) as consumer:
        commit(consumer, topic, {0: 0, 1: 0, 2: 0})
    produce(cluster, topic, 12)
    frame = observe.lag(cluster, group)
    assert frame["lag"].sum() == 12
    assert set(frame["consumer_id"]) == {None}
    assert observe.members(cluster, group).empty
    row = observe.groups(cluster).set_index("group_id").loc[group]
    assert (row["type"], row["state"], row["members"]) == ("classic", "Empty", 0)


def test_a_consumer_that_chose_its_partitions_itself_has_a_lag_too(cluster, topic, group):
    """Who assigns and commits is no member, and yet a group; other partitions are rows as well."""
    produce(cluster, topic, 6)
    with KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers, group_id=group) as consumer:
        consumer.assign([TopicPartition(topic, 1)])
        commit(consumer, topic, {1: 1})
    frame = observe.lag(cluster, group)
    assert list(frame["committed"]) == [False, True, False]
    offsets = observe.offsets(cluster, group)
    assert offsets[["topic", "partition", "current_offset"]].to_dict("records") == [
        {"topic": topic, "partition": 1, "current_offset": 1}
    ]
    assert list(offsets["metadata"]) == ["note"]


def test_a_commit_beyond_the_end_is_a_lag_below_zero(cluster, topic, group):
    """As it is left when committed records were lost: it is shown, not hidden as 0."""
    with member(cluster, group, topic) as consumer:
        commit(consumer, topic, {0: 100})
    assert observe.lag(cluster, group)["lag"][0] == -100


def test_members_own_every_partition_once(cluster, topic, group):
    """Two members share three partitions; both are seen, with what they own."""
    with member(cluster, group, topic, client_id="one") as one:
        other = KafkaConsumer(
            topic,
            bootstrap_servers=cluster.bootstrap_servers,
            group_id=group,
            client_id="two",
            session_timeout_ms=6000,
        )
        with other as two:

            def both() -> bool:
                one.poll(50)
                two.poll(50)
                return len(one.assignment()) + len(two.assignment()) == 3 and bool(two.assignment())

            wait_until(both, 20, "The partitions were not shared.")
            frame = observe.members(cluster, group)
            lag = observe.lag(cluster, group)
            row = observe.groups(cluster).set_index("group_id").loc[group]
            owned = {c.config["client_id"]: c.assignment() for c in (one, two)}
    assert set(frame["client_id"]) == {"one", "two"}
    for client_id, assignment in zip(frame["client_id"], frame["assignment"], strict=True):
        assert set(assignment) == {tuple(place) for place in owned[client_id]}
    assert sorted(place for each in frame["assignment"] for place in each) == [
        (topic, number) for number in range(3)
    ]
    assert lag.groupby("client_id").size().to_dict() == {k: len(v) for k, v in owned.items()}
    assert (row["state"], row["protocol"], row["members"]) == ("Stable", "range", 2)
    assert row["coordinator"] in (1, 2, 3)


def test_a_group_of_the_new_protocol_has_a_lag(cluster, topic, group):
    """KIP-848, here confluent-kafka's: its members are not told, what it committed is."""
    produce(cluster, topic, 9)
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": cluster.bootstrap_servers,
            "group.id": group,
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    deadline, read = Deadline(30), 0
    while read < 9 and deadline.left:
        message = consumer.poll(0.5)
        read += message is not None and message.error() is None
    consumer.commit(asynchronous=False)
    row = observe.groups(cluster).set_index("group_id").loc[group]
    frame = observe.lag(cluster, group)
    consumer.close()
    assert (row["type"], row["state"]) == ("consumer", "Stable")
    assert row[["members", "protocol"]].isna().all()
    assert frame["lag"].eq(0).all()
    assert frame["lag_seconds"].eq(0).all()


def test_all_groups_at_once_are_the_groups_one_by_one(cluster, topic, group):
    """Without a name there are the rows of each group, sorted."""
    produce(cluster, topic, 6)
    names = [f"{group}-{number}" for number in range(3)]
    for number, name in enumerate(names):
        with KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers, group_id=name) as consumer:
            consumer.assign([TopicPartition(topic, 0)])
            commit(consumer, topic, {0: number})
    every = observe.lag(cluster)
    for number, name in enumerate(names):
        one = observe.lag(cluster, name)
        assert every[every["group_id"] == name].reset_index(drop=True).equals(one)
        assert one["current_offset"][0] == number
    assert list(every["group_id"].unique()) == sorted(every["group_id"].unique())


@pytest.mark.parametrize("name", ["", "no-such", "\ud800", 5, ["a"], "x" * 300])
def test_a_group_that_is_none_is_refused_and_not_made(cluster, topic, group, name):
    """Items 51 and 80: asking for it does not bring it into being."""
    before = list(observe.groups(cluster)["group_id"])
    for look in (observe.lag, observe.members, observe.offsets):
        with refused(UnknownGroup, within=2):
            look(cluster, name)
    assert list(observe.groups(cluster)["group_id"]) == before


def test_a_typo_in_a_group_is_answered_with_the_nearest_name(cluster, topic, group):
    """One letter too few."""
    with KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers, group_id=group) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        commit(consumer, topic, {0: 0})
    with refused(UnknownGroup, f"Did you mean '{group}'?", within=2):
        observe.lag(cluster, group[:-1])


@pytest.mark.parametrize("look", [observe.lag, observe.groups, observe.members, observe.offsets])
def test_a_broker_is_asked_once_however_many_groups_there_are(
    cluster, topic, group, look, monkeypatch
):
    """Thirty groups on three partitions each: no broker gets a question of a kind twice."""
    for number in range(30):
        servers, name = cluster.bootstrap_servers, f"{group}-{number}"
        with KafkaConsumer(bootstrap_servers=servers, group_id=name) as consumer:
            consumer.assign([TopicPartition(topic, number) for number in range(3)])
            commit(consumer, topic, {0: 0, 1: 0, 2: 0})
    sent: list[tuple[str, object]] = []
    send = KafkaConnection.send_request

    def noted(self, request, **kwargs):
        sent.append((type(request).__name__, self.node_id))
        return send(self, request, **kwargs)

    monkeypatch.setattr(KafkaConnection, "send_request", noted)
    look(cluster)
    assert 9 <= len(sent) <= 21
    assert len(set(sent)) == len(sent)
