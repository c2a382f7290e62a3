"""A watch sees what happens, remembers it, and ends when it should, leaving nothing behind."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pandas as pd
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from eventlab import Cluster, observe
from eventlab.cluster import launch
from eventlab.errors import ClusterNotRunning, NeverHappened
from eventlab.waiting import wait_until
from tests.live.clients import member, nothing_kept_open, produce
from tests.unit.refusals import refused


@pytest.fixture(autouse=True)
def _nothing_is_left_open_and_nothing_is_printed(cluster, capfd):
    """Threads and sockets end with the watch, which never prints."""
    with nothing_kept_open(cluster):
        yield
    out, err = capfd.readouterr()
    of_starts = [line for line in err.splitlines() if line.startswith("Starting")]
    assert (out, [line for line in err.splitlines() if line not in of_starts]) == ("", [])


def watching() -> int:
    """Return how many watches have a thread."""
    return sum(thread.name == "eventlab-watch" for thread in threading.enumerate())


def test_what_it_sees_is_what_the_function_returns(cluster, topic):
    """Of all that can be watched: the latest sample is the table, the history has the time."""
    produce(cluster, topic, 6)
    with member(cluster, f"of-{topic}", topic) as consumer:
        consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(0, "", -1)})
        for what, target in [
            (topic, ()),
            (observe.partitions, (topic,)),
            (observe.topics, ()),
            (observe.brokers, ()),
            (observe.quorum, ()),
            (observe.groups, ()),
            (observe.members, (f"of-{topic}",)),
            (observe.offsets, (f"of-{topic}",)),
            (observe.lag, (f"of-{topic}",)),
        ]:
            with observe.watch(cluster, what, *target, every=0.05) as seen:
                now = seen.wait_until(lambda now: True)
            look = observe.partitions if isinstance(what, str) else what
            table = look(cluster, *([what] if isinstance(what, str) else target))
            assert list(now.columns) == list(table.columns)
            assert now.dtypes.equals(table.dtypes)
            assert len(now) == len(table) > 0
            frame = seen.frame()
            assert list(frame.columns) == ["time", *table.columns]
            assert len(frame) == len(now) * frame["time"].nunique()
            assert seen.errors.empty


def test_it_samples_at_its_rate(cluster, topic):
    """Twenty looks a second, evenly; the times are UTC, and rise."""
    with observe.watch(cluster, topic, every=0.05) as seen:
        wait_until(lambda: seen.frame()["time"].nunique() >= 21, 10, "It is slow.")
    times = pd.Series(seen.frame()["time"].unique())
    assert times.is_monotonic_increasing
    assert 0.04 < times.diff().median().total_seconds() < 0.1


def test_records_that_come_in_are_seen_to_come_in(cluster, topic):
    """The end of the log never falls, and the last look has it all."""
    with observe.watch(cluster, topic, every=0.05) as seen:
        produce(cluster, topic, 200)
        now = seen.wait_until(lambda now: now.log_end_offset.sum() == 200, within=10)
    assert now["log_end_offset"].sum() == 200
    ends = seen.frame().groupby("time")["log_end_offset"].sum()
    assert ends.is_monotonic_increasing
    assert ends.iloc[0] == 0


def test_a_wait_looks_at_what_was_seen_after_it_began(cluster, topic):
    """What was true before is no answer: the look of a minute ago is not taken."""
    with observe.watch(cluster, topic, every=60) as seen:
        produce(cluster, topic, 3)
        begun = time.monotonic()
        assert seen.now["log_end_offset"].sum() == 0
        now = seen.wait_until(lambda now: True, within=10)
        assert now["log_end_offset"].sum() == 3
        assert time.monotonic() - begun < 5  # and it does not wait for the next minute


def test_a_wait_ends_at_its_deadline_with_what_was_seen(cluster, topic):
    """Three sentences, with the last look in it."""
    with observe.watch(cluster, topic, every=0.05) as seen:
        with refused(NeverHappened, "1 seconds passed", "'topic'", topic[:10], within=4):
            seen.wait_until(lambda now: now.leader[0] == 99, within=1)
        with pytest.raises(KeyError):
            seen.wait_until(lambda now: now["no such column"], within=1)
    with refused(NeverHappened, "It has ended", within=1):
        seen.wait_until(lambda now: True, within=10)


def test_an_answer_that_is_not_known_is_no(cluster, topic):
    """`lag.max() == 0` is NA while nothing is committed: that is not "nothing is left"."""
    group = f"of-{topic}"
    produce(cluster, topic, 3)
    with (
        member(cluster, group, topic) as consumer,
        observe.watch(cluster, observe.lag, group, every=0.05) as seen,
    ):
        with refused(NeverHappened, within=3):
            seen.wait_until(lambda now: now.lag.max() == 0, within=0.5)
        ends = consumer.end_offsets(consumer.assignment())
        consumer.commit({place: OffsetAndMetadata(end, "", -1) for place, end in ends.items()})
        seen.wait_until(lambda now: now.committed.all() and now.lag.max() == 0, within=10)


def test_a_group_is_waited_for(cluster, topic):
    """A watch may begin before the group does; until then there is nothing to be true of."""
    group = f"of-{topic}"
    produce(cluster, topic, 3)
    with observe.watch(cluster, observe.lag, group, every=0.05) as seen:
        with refused(NeverHappened, group, within=3):
            seen.wait_until(lambda now: now.lag.sum() == 0, within=0.3)
        assert seen.now.empty
        assert list(seen.now.columns) == list(observe.lag(cluster).columns)
        assert group in seen.errors["error"].iloc[-1]
        with member(cluster, group, topic):
            now = seen.wait_until(lambda now: now.consumer_id.notna().all(), within=20)
    assert len(now) == 3


def test_a_group_that_reads_nothing_has_not_read_all(cluster, topic):
    """Its topic is not there yet: no row, and so no sample that "all of them" could be true of."""
    group = f"of-{topic}"
    with KafkaConsumer(
        "comes-later",
        bootstrap_servers=cluster.bootstrap_servers,
        group_id=group,
        session_timeout_ms=6000,
    ) as consumer:

        def joined() -> bool:
            consumer.poll(100)
            return observe.groups(cluster).set_index("group_id")["state"].get(group) == "Stable"

        wait_until(joined, 20, "It did not join.")
        assert observe.lag(cluster, group).empty
        with observe.watch(cluster, observe.lag, group, every=0.05) as seen:
            with refused(NeverHappened, within=3):
                seen.wait_until(lambda now: (now.lag == 0).all(), within=0.5)
            assert seen.errors.empty
        with observe.watch(cluster, observe.members, group, every=0.05) as seen:
            assert len(seen.wait_until(lambda now: len(now) == 1, within=5)) == 1


def test_lag_in_seconds_is_the_age_of_the_first_record_that_is_not_committed(cluster, topic):
    """Against the timestamps of the records themselves, as exact as the looks are frequent."""
    group, place, every = f"of-{topic}", TopicPartition(topic, 0), 0.1
    with KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers, group_id=group) as consumer:
        consumer.assign([place])
        consumer.commit({place: OffsetAndMetadata(0, "", -1)})
        with (
            observe.watch(cluster, observe.lag, group, every=every) as seen,
            KafkaProducer(bootstrap_servers=cluster.bootstrap_servers) as producer,
        ):
            for number in range(40):
                producer.send(topic, b"%d" % number, partition=0).get(10)
                seen.wait_until(lambda now, n=number: now.log_end_offset[0] == n + 1, within=10)
                consumer.commit({place: OffsetAndMetadata(max(0, number - 10), "", -1)})
            last = seen.wait_until(lambda now: now.current_offset[0] == 29, within=10)
    assert last["lag"][0] == 11
    written = observe.records(cluster, topic, partition=0)["time"]
    history = seen.frame().query("partition == 0 and lag > 0").reset_index(drop=True)
    age = (
        history["time"] - written[history["current_offset"].astype(int)].array
    ).dt.total_seconds()
    known = history["lag_seconds"].notna()
    assert known.sum() > 30
    assert (history["lag_seconds"][known] - age[known]).abs().median() < every
    assert (history["lag_seconds"][known] - age[known]).abs().max() < 10 * every
    assert seen.frame().query("lag == 0")["lag_seconds"].eq(0).all()


def test_a_cell_that_is_run_again_has_one_watch(cluster, topic):
    """The same of the same cluster takes the place of the older, whichever way it was asked."""
    first = observe.watch(cluster, topic, every=0.05)
    again = observe.watch(Cluster(cluster.name).start(), observe.partitions, topic, every=0.05)
    other = observe.watch(cluster, observe.brokers, every=0.05)
    assert "ended" in repr(first)
    assert "running" in repr(again)
    assert watching() == 2
    assert not first.frame().empty
    for each in (again, other, other):
        each.stop()
    assert watching() == 0


def test_it_says_what_it_is(cluster, topic):
    """One line that can be read aloud."""
    with observe.watch(cluster, topic, every=0.5) as seen:
        assert repr(seen).startswith(f"<Watch of partitions {topic} · every 0.5 s · ")
        assert repr(seen).endswith("samples · running>")
    assert repr(seen).endswith("samples · ended>")


def test_memory_is_bounded(cluster, topic):
    """The oldest looks go."""
    with observe.watch(cluster, topic, every=0.05, most_rows=30) as seen:
        first = seen.frame()["time"].min()
        wait_until(lambda: seen.frame()["time"].min() > first, 20, "Nothing was forgotten.")
        assert len(seen.frame()) < 60


def test_a_topic_that_goes_is_an_error_of_the_watch_and_not_of_its_thread(cluster):
    """It goes on, and sees the topic again when it is there again."""
    cluster.create_topic("goes", partitions=1, fresh=True)
    with observe.watch(cluster, "goes", every=0.05) as seen:
        cluster.delete_topic("goes")
        said = "Topic 'goes' does not exist."
        wait_until(lambda: seen.errors["error"].str.contains(said).any(), 10, "It did not say so.")
        assert str(seen.errors["time"].dtype) == "datetime64[ns, UTC]"
        cluster.create_topic("goes", partitions=2)
        seen.wait_until(lambda now: len(now) == 2, within=10)
    cluster.delete_topic("goes")


def test_it_ends_with_its_cluster(name):
    """Stopped by who holds it: the watch is over within a second, and says why."""
    with Cluster(name, profile="small") as cluster:
        cluster.create_topic("orders", partitions=1)
        seen = observe.watch(cluster, "orders", every=30)
    wait_until(lambda: "ended" in repr(seen), 3, "It outlived its cluster.")
    wait_until(lambda: watching() == 0, 3, "Its thread outlived it.")
    assert "not running" in seen.errors["error"].iloc[-1]
    with refused(ClusterNotRunning):
        observe.partitions(cluster, "orders")
    assert len(seen.frame()) >= 1
    seen.stop()


def test_it_ends_with_a_cluster_that_somebody_else_ended(name):
    """As `eventlab down` does in a terminal: the object here still holds what is gone."""
    cluster = Cluster(name, profile="small").start()
    cluster.create_topic("orders", partitions=1)
    with observe.watch(cluster, "orders", every=0.05) as seen:
        launch.end(name)
        wait_until(lambda: "ended" in repr(seen), 5, "It outlived its cluster.")
        assert "not running" in seen.errors["error"].iloc[-1]
    with refused(ClusterNotRunning, within=3):
        observe.partitions(cluster, "orders")
    cluster.stop()


def test_a_stop_does_not_wait_for_a_silent_broker(name):
    """Whatever a look is waiting for, the end of the block is at once."""
    with Cluster(name, brokers=1) as cluster:
        cluster.create_topic("orders", partitions=1, replication_factor=1)
        with observe.watch(cluster, "orders", every=0.05) as seen:
            cluster.brokers[1].freeze()
            with refused(NeverHappened, within=4):
                seen.wait_until(lambda now: True, within=1)
            begun = time.monotonic()
        assert time.monotonic() - begun < 1
        with refused(NeverHappened, "No broker of the cluster answered", within=9):
            observe.partitions(cluster, "orders")


KERNEL = """
import sys
from eventlab import Cluster, observe
cluster = Cluster.start(sys.argv[1])
seen = observe.watch(cluster, observe.brokers, every=0.05)
seen.wait_until(lambda now: len(now) == 3)
print(len(seen.now))
"""


def test_it_ends_with_its_kernel(cluster):
    """A process that is done ends at once, silently, though nobody has stopped the watch."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", KERNEL, cluster.name], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "3\n")
    assert "Error" not in done.stderr
    assert time.monotonic() - begun < 20
