"""Produce order against read order, and what Kafka promises of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlab import charts
from eventlab.charts import look
from eventlab.charts.inversions import KINDS, classify
from eventlab.errors import InvalidSetting
from tests.unit.charts.known import line, points, reads
from tests.unit.history.story import Story
from tests.unit.refusals import refused

OF_KEY = "after a later record\nof its key: 1"
ACROSS = "after a later record\nof another partition: 4"
IN_ORDER = "in the order produced: 7"


def test_each_read_is_drawn_where_it_was_read_and_produced():
    """As one of the kinds, and together they are all reads."""
    axes = charts.ordering(reads())
    kinds = {label: line(axes, label) for label in (IN_ORDER, ACROSS, OF_KEY)}
    drawn = pd.concat(kinds.values()).sort_values("x")
    assert drawn["x"].tolist() == list(range(1, 13))
    assert drawn["y"].tolist() == reads()["producer_seq"].tolist()
    assert kinds[OF_KEY].to_numpy().tolist() == [[7, 5]]  # key 1: 5 after 9
    assert kinds[ACROSS]["y"].tolist() == [1, 2, 6, 8]


def test_an_inversion_of_a_key_is_a_red_line_and_a_jump_between_partitions_a_grey_one():
    """Red is what Kafka promises not to happen; grey is how it is."""
    axes = charts.ordering(reads())
    (red,) = [each for each in axes.lines if each.get_label() == "_inversion"]
    assert red.get_color() == look.WRONG
    assert np.stack(red.get_data(), 1).tolist() == [[6, 9], [7, 5]]
    jumps = [each for each in axes.lines if each.get_label() == "_jump"]
    assert {each.get_color() for each in jumps} == {look.REST}
    assert [each.get_ydata().tolist() for each in jumps] == [[7, 1], [5, 2], [10, 8]]


def test_the_table_counts_each_kind_for_each_partition():
    """Literal, for twelve reads."""
    table = charts.describe(charts.ordering(reads())).table
    assert table.to_numpy().tolist() == [
        [0, 6, 5, 1, 0, 0, 0],
        [1, 3, 1, 1, 0, 1, 0],
        [2, 3, 1, 2, 0, 0, 0],
    ]
    assert table.columns.tolist() == ["partition", "reads", *KINDS]


def test_the_words_for_known_data():
    """Literal, so that they are read when they change."""
    assert charts.describe(charts.ordering(reads())) == (
        "1 read of 12 came after a later record of the same key. 3 partitions, 12 reads: "
        "7 in the order of producing, 4 after a later record of another partition and "
        "1 after a later record of the same key. Kafka keeps the order of a partition, no more."
    )


def test_what_is_read_again_is_no_inversion():
    """After a rebalance a consumer begins where its group has committed."""
    frame = pd.concat([reads()[:4], reads()[2:4]])
    said = charts.describe(charts.ordering(frame))
    assert said.table["again"].tolist() == [2]
    assert said.table["in_key"].tolist() == [0]
    assert "2 read again" in said
    by_offset = frame.drop(columns="event_id").assign(offset=[0, 1, 2, 3, 2, 3])
    assert charts.describe(charts.ordering(by_offset)) == said


def test_a_record_without_a_key_has_no_order_of_its_key():
    """None, NaN and -1 are no key, and two of them not the same one."""
    frame = pd.DataFrame({"partition": 0, "producer_seq": [1, 0], "key": [None, None]})
    table = charts.describe(charts.ordering(frame)).table
    assert table[["in_partition", "in_key"]].to_numpy().tolist() == [[1, 0]]
    keyed = charts.describe(charts.ordering(frame.assign(key=[b"a", b"a"]))).table
    assert keyed[["in_partition", "in_key"]].to_numpy().tolist() == [[0, 1]]


def test_each_producer_has_an_order_of_its_own():
    """Two of them count from 0 each; only the order within one means something."""
    frame = pd.DataFrame(
        {"partition": 0, "key_id": 1, "producer_seq": [5, 0, 6, 1], "producer": [1, 2, 1, 2]}
    )
    assert charts.describe(charts.ordering(frame)).table["in_order"].tolist() == [4]
    alone = charts.ordering(frame.drop(columns="producer"))
    assert charts.describe(alone).table["in_key"].tolist() == [2]


def test_the_orders_of_two_producers_are_not_taken_for_one():
    """Red is for what Kafka promises not to happen; a false alarm would teach a falsehood."""
    frame = pd.DataFrame({"partition": 0, "key_id": 1, "producer_seq": [0, 1, 0, 1]})
    frame["event_id"] = [0, 1, 2, 3]
    with refused(InvalidSetting, "0 is that of event 0 and of event 2", 'frame["producer"]'):
        charts.ordering(frame)
    told = charts.describe(charts.ordering(frame.assign(producer=[1, 1, 2, 2])))
    assert told.table["in_order"].tolist() == [4]


def test_the_line_of_an_inversion_begins_at_a_read_of_the_same_producer():
    """Another producer of the same key may be far ahead, which is no inversion."""
    frame = pd.DataFrame({"partition": 0, "key_id": 1, "producer_seq": [99, 1, 0]})
    axes = charts.ordering(frame.assign(producer=["a", "b", "b"]))
    drawn = line(axes, "_inversion")
    assert drawn.to_numpy().tolist() == [[2, 1], [3, 0]]
    assert axes.get_ylabel().startswith("each one's produce order")


def test_a_history_of_two_producers_is_drawn_as_it_is():
    """Its reads say who sent each record; nobody has to look it up."""
    story = Story()
    web, till = story.producer("web"), story.producer("till")
    for number in range(6):
        story.send((web, till)[number % 2], b"%d" % number, key=b"c1")
    story.poll(story.consumer(), [0, 1, 3, 2, 4, 5])
    frame = story.run.reads()
    assert frame["producer"].tolist() == [0, 1, 1, 0, 0, 1]
    assert charts.describe(charts.ordering(frame)).table["in_order"].tolist() == [6]
    backwards = frame.iloc[[0, 1, 2, 4, 3, 5]]
    said = charts.describe(charts.ordering(backwards))
    assert said.startswith("1 read of 6 came after a later record of the same key.")


@pytest.mark.parametrize("apart", [70, 2**62])
def test_a_record_that_is_known_by_its_offset_is_not_one_of_another_partition(apart):
    """Offsets may be as large as Kafka allows, and numbers do not run over."""
    frame = reads().drop(columns="event_id").assign(offset=range(12))
    frame.loc[frame.index[:4], "partition"] = [0, 1, 2, 3]
    frame.loc[frame.index[:4], "offset"] = [0, apart, apart, 0]
    assert charts.describe(charts.ordering(frame)).table["again"].sum() == 0
    again = pd.concat([frame, frame[:4]])
    assert charts.describe(charts.ordering(again)).table["again"].sum() == 4


def test_records_that_somebody_else_produced_are_left_out_and_counted():
    """Nobody knows their order."""
    frame = reads().assign(producer_seq=reads()["producer_seq"].astype("Int64"))
    frame.loc[frame.index < 2, "producer_seq"] = pd.NA
    said = charts.describe(charts.ordering(frame))
    assert said.table["reads"].sum() == 10
    assert said.endswith("Left out: 2 reads without a producer_seq.")
    nobody = charts.ordering(frame.assign(producer_seq=pd.NA))
    assert charts.describe(nobody) == "The order of producing is not known."


def by_hand(produced, partition, key, identity):
    """Say the same as `classify` in the plainest way there is."""
    kinds = []
    for n in range(len(produced)):
        before = [m for m in range(n) if produced[m] > produced[n]]
        if identity[n] >= 0 and identity[n] in identity[:n]:
            kinds.append("again")
        elif key[n] >= 0 and any(key[m] == key[n] for m in before):
            kinds.append("in_key")
        elif any(partition[m] == partition[n] for m in before):
            kinds.append("in_partition")
        else:
            kinds.append("across" if before else "in_order")
    return kinds


def rows(produced, keys):
    return st.lists(
        st.tuples(produced, st.integers(0, 3), keys, st.integers(-1, 30)), min_size=1, max_size=60
    )


@given(
    st.one_of(
        rows(st.integers(0, 50), st.integers(-1, 5)),
        rows(st.integers(0, 2**60), st.integers(-1, 2**60)),
    ),
    st.booleans(),
)
def test_the_quick_way_to_find_inversions_finds_what_the_plain_way_finds(table, homes):
    """With keys that stay in a partition and keys that move, dense numbers and vast ones."""
    produced, partition, key, identity = (np.array(column) for column in zip(*table, strict=True))
    partition = np.where(homes & (key >= 0), key % 4, partition)
    found = [KINDS[kind] for kind in classify(produced, partition, key, identity)]
    assert found == by_hand(produced.tolist(), partition.tolist(), key.tolist(), identity.tolist())


def test_a_hundred_thousand_reads_are_few_points_and_one_inversion_among_them_is_seen():
    """It is the one that matters."""
    count = 100_000
    frame = pd.DataFrame({"producer_seq": np.arange(count), "key_id": np.arange(count) % 999})
    frame["partition"] = frame["key_id"] % 12
    order = frame.groupby(frame.index // 5000).apply(
        lambda part: part.sort_values("partition", kind="stable")
    )
    frame = order.reset_index(drop=True)
    swapped = frame.index[frame["key_id"] == 77][[40, 41]]
    frame.loc[swapped, "producer_seq"] = frame.loc[swapped[::-1], "producer_seq"].to_numpy()
    axes = charts.ordering(frame)
    assert charts.describe(axes).table["in_key"].sum() == 1
    assert len(line(axes, OF_KEY)) == 1
    assert points(axes) <= 2_200  # and the line of the inversion
    drawn = [each for each in axes.lines if not each.get_label().startswith("_")]
    highest = max(each.get_ydata().max() for each in drawn)
    assert highest == count - 1


@pytest.mark.parametrize("kind", ["key", "key_id"])
def test_a_key_is_bytes_or_a_number(kind):
    """kafka-python gives bytes, a history numbers."""
    keys = reads()["key_id"]
    frame = reads().drop(columns="key_id")
    frame[kind] = keys if kind == "key_id" else [b"%d" % key for key in keys]
    said = charts.describe(charts.ordering(frame))
    assert said.startswith("1 read of 12 came after a later record of the same key.")


def test_a_key_of_ones_own_counts_instead_of_the_history_s():
    """What has to stay in order may be in the value, where no history sees it."""
    frame = reads()
    swapped = charts.describe(charts.ordering(frame.assign(key=np.arange(len(frame))))).table
    assert swapped["in_key"].sum() == 0
    frame = frame.assign(key=frame["key_id"], key_id=-1)
    assert charts.describe(charts.ordering(frame)).table["in_key"].sum() == 1
