"""What may be asked of a cluster, and what is refused before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlab import Cluster
from eventlab.cluster import registry
from eventlab.cluster.settings import MOST_BROKERS, Settings
from eventlab.errors import InvalidSetting
from tests.conftest import marked_processes
from tests.unit.refusals import refused

BAD_BROKERS = [0, -1, 2.5, "three", 100, MOST_BROKERS + 1, True, "3", [3], float("nan"), 10**5000]
BAD_PORTS = [0, 80, 1023, 65536, -1, "abc", "19092", 19092.0, True, 10**5000]
BAD_NAMES = ["", "Lab", "a b", "..", "../x", "a/b", "é", "-a", "x" * 41, "a\n", 5, b"lab", ["lab"]]
BAD_PROFILES = ["big", "", "LAB", 5, ["lab"]]
BAD_DATA = ["", " ", 5, b"data", "a\0b", "a\nb", "a,b", "~nobody-of-this-name/data", "\ud800"]


def assert_nothing_starts(name: str, seen: object, **given: object) -> None:
    """Check that a start with these settings is refused, and that nothing comes of it."""
    with refused(InvalidSetting, seen):
        Cluster.start(name, **given)
    assert not registry.folder(name).exists()
    assert not marked_processes(name)


def shortly(value: object) -> str:
    """Return the beginning of how a message shows a value; 5000 digits are not shown."""
    return "something of type int" if value == 10**5000 else repr(value)[:40]


@pytest.mark.parametrize("brokers", BAD_BROKERS, ids=shortly)
def test_a_number_of_brokers_that_cannot_be_names_the_bounds(name, brokers):
    """Item 21: 0, -1, 2.5, "three", 100 brokers."""
    assert_nothing_starts(name, shortly(brokers), brokers=brokers)
    with refused(InvalidSetting, f"from 1 to {MOST_BROKERS}"):
        Settings(brokers=brokers)


@pytest.mark.parametrize("port", BAD_PORTS, ids=shortly)
def test_a_port_that_cannot_be_names_the_bounds(name, port):
    """Items 18 and 19: a privileged port; 0, 65536, "abc"."""
    assert_nothing_starts(name, shortly(port), port=port)
    with refused(InvalidSetting, "from 1024 to"):
        Settings(port=port)


def test_the_last_brokers_port_is_a_port_too():
    """Item 19: the brokers' ports follow each other, and the last must not be 65536."""
    most = 65535 - MOST_BROKERS
    assert Settings(port=most, brokers=MOST_BROKERS).port == most
    with refused(InvalidSetting, most + 1):
        Settings(port=most + 1)


@pytest.mark.parametrize("bad", BAD_NAMES, ids=repr)
def test_a_name_is_one_that_a_folder_can_have(bad):
    """A name becomes a folder that is removed at the end: it can lead nowhere else."""
    with refused(InvalidSetting, repr(bad)):
        Cluster(bad)


@pytest.mark.parametrize("profile", BAD_PROFILES, ids=repr)
def test_an_unknown_profile_names_the_known_ones(name, profile):
    """A profile nobody knows is not quietly another one."""
    assert_nothing_starts(name, repr(profile), profile=profile)
    with refused(InvalidSetting, "lab, stock, small"):
        Settings(profile=profile)


def test_an_unknown_profile_in_the_environment_names_the_variable(monkeypatch):
    """Who never typed a profile must be told where it comes from."""
    monkeypatch.setenv("EVENTLAB_PROFILE", "big")
    with refused(InvalidSetting, "EVENTLAB_PROFILE is 'big'"):
        Settings()
    assert Settings(profile="stock").resolved().profile == "stock"


def test_an_empty_variable_is_an_unset_one(monkeypatch):
    """Item 10: EVENTLAB_PROFILE= means no profile at all."""
    monkeypatch.setenv("EVENTLAB_PROFILE", "  ")
    assert Settings().resolved().profile == "lab"


def test_a_small_cluster_is_one_broker(name):
    """The combined node is the whole cluster; three of it would be another topology."""
    assert_nothing_starts(name, "brokers=3", profile="small", brokers=3)
    assert Settings(profile="small").resolved().brokers == 1


@pytest.mark.parametrize("data", BAD_DATA, ids=repr)
def test_a_data_folder_has_a_name_that_kafka_reads_whole(name, data):
    """Kafka splits log.dirs at commas, so records would go where nobody looks for them."""
    assert_nothing_starts(name, repr(data), data=data)


def test_a_data_folder_may_have_any_other_name():
    """Spaces, letters outside ASCII and colons are in names that people have."""
    for text in ("my data", "größe", "日本", "a:b"):
        assert Settings(data=Path(text)).resolved().data == str(Path(text).absolute())


@pytest.mark.parametrize(
    "properties",
    [5, "log.retention.ms=1", [("log.retention.ms", 1)], {5: 1}, {"": 1}, {"Log.Retention": 1},
     {"log.retention.ms": None}, {"log.retention.ms": 1.5}, {"log.retention.ms": [1]},
     {"log.retention.ms": "1\nprocess.roles=broker"}, {"log.retention.ms": "\0"},
     {"log retention": 1}, {"a=b": 1}, {"log.retention.ms": 2**63}],
    ids=repr,
)  # fmt: skip
def test_properties_are_a_mapping_of_names_to_plain_values(name, properties):
    """A line break in a value would be a second property that nobody asked for."""
    assert_nothing_starts(name, "You gave", properties=properties)


@pytest.mark.parametrize(
    "key",
    ["process.roles", "node.id", "broker.id", "cluster.id", "listeners", "advertised.listeners",
     "log.dir", "log.dirs", "metadata.log.dir", "listener.security.protocol.map",
     "inter.broker.listener.name", "controller.quorum.voters",
     "controller.quorum.bootstrap.servers", "controller.listener.names"],
)  # fmt: skip
def test_what_eventlab_sets_itself_cannot_be_set(name, key):
    """Listeners beyond loopback, or another folder, would be another cluster than the one told."""
    assert_nothing_starts(name, key, properties={key: "0.0.0.0"})


def test_a_long_value_is_cut_in_the_message():
    """A pasted file must not fill the cell."""
    with refused(InvalidSetting, "xxx...") as caught:
        Settings(name="x" * 100_000)
    assert len(str(caught.value)) < 300


def test_only_what_was_asked_for_is_compared():
    """A start without settings attaches to whatever runs under the name."""
    assert Settings().asked() == {"name": "lab"}
    assert Settings(brokers=5, properties={"log.retention.ms": True}).asked() == {
        "name": "lab",
        "brokers": 5,
        "properties": {"log.retention.ms": "true"},
    }


@pytest.mark.parametrize("topology", ["ring", "", 3, ["combined"]])
def test_a_topology_that_there_is_not_is_refused(topology):
    """Two are known: a controller of its own, and nodes in both roles."""
    with refused(InvalidSetting, "dedicated, combined"):
        Settings(topology=topology)


def test_a_small_cluster_is_combined():
    """One node cannot be anything else."""
    assert Settings(profile="small").resolved().topology == "combined"
    with refused(InvalidSetting, "dedicated"):
        Settings(profile="small", topology="dedicated")
