"""Leader, in-sync replicas and epoch over time, and the fault that changed them."""

from __future__ import annotations

import pandas as pd
import pytest

from eventlab import charts
from eventlab.charts import look
from tests.unit.charts.known import FAULTS, START, at, bars, partitions, points

COLUMNS = ["partition", "seconds", "leader", "leader_epoch", "isr"]


def test_bars_and_table_agree():
    """Thick is the leader, thin is in sync, nothing is out of the ISR."""
    axes = charts.leadership(partitions())
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[:3] == ["partition 0   broker 1", "broker 2", "broker 3"]
    assert names[3:] == ["", "partition 1   broker 1", "broker 2", "broker 3"]
    assert bars(axes, "broker 2 leads") == [(0, 7, 1, 0.72)]
    assert bars(axes, "broker 3 leads") == [(7, 10, 2, 0.72)]
    assert bars(axes, "broker 1 leads") == [(0, 10, 4, 0.72)]
    assert bars(axes, "broker 2 in sync") == [(9, 10, 1, 0.2), (0, 7, 5, 0.2), (9, 10, 5, 0.2)]
    assert bars(axes, "broker 3 in sync") == [(0, 7, 2, 0.2), (0, 10, 6, 0.2)]
    table = charts.describe(axes).table
    assert table[COLUMNS].to_numpy().tolist() == [
        [0, 7, 2, 5, (1, 2, 3)],
        [0, 2, 3, 6, (1, 3)],
        [0, 1, 3, 6, (1, 2, 3)],
        [1, 7, 1, 4, (1, 2, 3)],
        [1, 2, 1, 4, (1, 3)],
        [1, 1, 1, 4, (1, 2, 3)],
    ]
    assert list(table["start"][:3]) == list(at([0, 7, 9]))


def test_the_words_for_known_data():
    """Literal, so that they are read when they change."""
    assert charts.describe(charts.leadership(partitions(), faults=FAULTS)) == (
        "Broker 3 took over partition 0 from broker 2, 3 s after leader killed. "
        "2 partitions over 10 s. "
        "At 7 s broker 3 took over partition 0 from broker 2, 3 s after leader killed. "
        "Partition 0: epoch 5 to 6, ISR (1, 2, 3) at first and at last, 2 at its smallest. "
        "Partition 1: epoch 4, ISR (1, 2, 3) at first and at last, 2 at its smallest. "
        "Faults: leader killed, broker 2 (4 s to 7 s)."
    )


def test_epochs_are_written_where_they_begin():
    """In the row of the leader whose they are."""
    axes = charts.leadership(partitions())
    written = {
        text.get_text(): (round(text.get_position()[0], 2), text.get_position()[1])
        for text in axes.texts
    }
    assert written == {"epoch 5": (0.12, 1), "epoch 6": (7.12, 2), "epoch 4": (0.12, 4)}


def test_a_fault_on_another_broker_is_not_blamed():
    """Only what hit the old leader, and before it was one no more."""
    other = FAULTS.assign(nodes=[(1,)])
    title = charts.leadership(partitions(), faults=other).get_title(loc="left")
    assert title == "Broker 3 took over partition 0 from broker 2"
    later = FAULTS.assign(start=at([8]), end=at([9]))
    title = charts.leadership(partitions(), faults=later).get_title(loc="left")
    assert title == "Broker 3 took over partition 0 from broker 2"


def test_no_leader_is_marked_over_all_replicas_and_said():
    """Nothing can be written or read meanwhile."""
    frame = partitions()
    frame.loc[
        (frame["partition"] == 1) & (frame["time"] >= START + pd.Timedelta(seconds=5)), "leader"
    ] = -1
    axes = charts.leadership(frame[frame["partition"] == 1])
    assert axes.get_title(loc="left") == "Partition 1 had no leader for 5 s"
    assert bars(axes, "no leader") == [(5, 10, 1, 2.8)]
    (marked,) = [each for each in axes.collections if each.get_label() == "no leader"]
    assert marked.get_hatch()
    assert "no leader for 5 s." in charts.describe(axes)
    both = charts.leadership(frame)  # of which one moved: worse is what has no leader now
    assert both.get_title(loc="left") == "Partition 1 had no leader for 5 s"


@pytest.mark.parametrize(
    ("change", "title"),
    [
        (
            lambda frame: frame[frame["partition"] == 1],
            "No leader changed; at the worst 2 of 3 in sync",
        ),
        (lambda frame: frame[frame.index < 10], "No leader and no ISR changed in 2 s"),
        (lambda frame: frame[:2], "2 partitions seen once, each with a leader"),
    ],
)
def test_the_title_is_the_finding(change, title):
    """A leader that moved, an ISR that shrank, or nothing at all."""
    assert charts.leadership(change(partitions())).get_title(loc="left").startswith(title)


def test_an_isr_in_another_order_is_the_same():
    """A replica that came back stands at the end of Kafka's list."""
    frame = partitions()
    frame["isr"] = [isr if n % 3 else isr[::-1] for n, isr in enumerate(frame["isr"])]
    frame["isr"] = [isr if n % 2 else list(isr) for n, isr in enumerate(frame["isr"])]
    one, other = (charts.describe(charts.leadership(each)) for each in (partitions(), frame))
    assert one == other
    pd.testing.assert_frame_equal(one.table, other.table)


def test_of_many_partitions_those_that_changed_are_drawn():
    """Fifty that nothing happened to would hide the one that lost its leader."""
    quiet = partitions()[partitions()["partition"] == 1]
    quiet = quiet.assign(isr=[(1, 2, 3)] * len(quiet))
    many = [quiet.assign(partition=number) for number in range(2, 52)]
    axes = charts.leadership(pd.concat([*many, partitions()]))
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[0] == "partition 0   broker 1"
    assert "the 8 of 52" in axes.get_legend().get_title().get_text()
    said = charts.describe(axes)
    assert "Not drawn: 44 partitions with fewer changes." in said
    assert said.table["partition"].nunique() == 52


def test_a_state_lasts_until_the_sample_that_shows_another():
    """Also where samples are far apart."""
    frame = partitions()
    frame = frame[frame["time"].isin(at([0, 1, 10]))]
    table = charts.describe(charts.leadership(frame)).table
    assert table[table["partition"] == 0]["seconds"].tolist() == [10, 0]


def test_a_broker_has_its_colour_on_every_chart():
    """Blue is broker 1, here and in charts.spread."""
    axes = charts.leadership(partitions())
    (leads,) = [each for each in axes.collections if each.get_label() == "broker 1 leads"]
    spread = charts.spread(pd.DataFrame({"partition": [0], "leader": [1], "records": [5]}))
    assert leads.get_facecolor()[0].tolist() == list(spread.patches[0].get_facecolor())
    assert look.broker(1)["facecolor"] == look.COLOURS[0]


def test_a_hundred_thousand_samples_are_few_points():
    """A leader that stays is one bar."""
    rows = 50_000
    frame = pd.concat([partitions()] * (rows // 21), ignore_index=True)
    frame["time"] = at(frame.index // 2)
    axes = charts.leadership(frame)
    assert points(axes) <= 4_500
    assert len(charts.describe(axes).table) > 10_000
