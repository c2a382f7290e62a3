"""What a chart draws, what it says and the table behind it agree."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from eventlab import charts
from eventlab.charts import look
from eventlab.charts.bars import MOST_LABELS
from eventlab.errors import InvalidSetting
from tests.unit.refusals import refused

KNOWN = pd.DataFrame(
    {
        "topic": "orders",
        "partition": [2, 0, 1],
        "leader": [1, 2, 3],
        "records": [30, 50, 20],
    }
)


def frame(count: int, records: int = 1) -> pd.DataFrame:
    partitions = range(count)
    return pd.DataFrame(
        {
            "partition": partitions,
            "leader": [p % 3 + 1 for p in partitions],
            "records": [records * (p + 1) for p in partitions],
        }
    ).astype("int64")


def drawn(axes) -> pd.DataFrame:
    """Return what the bars show, as the table that they should come from."""
    rows = [
        (
            round(bar.get_x() + bar.get_width() / 2),
            int(bars.get_label().split()[1]),
            bar.get_height(),
        )
        for bars in axes.containers
        for bar in bars
    ]
    table = pd.DataFrame(rows, columns=["partition", "leader", "records"]).astype("int64")
    return table.sort_values("partition", ignore_index=True)


@pytest.mark.parametrize("made", [KNOWN, frame(1), frame(1, 0), frame(3, 0), frame(50), frame(500)])
def test_bars_labels_text_and_table_agree(made: pd.DataFrame) -> None:
    """A learner who cannot see the chart has to learn the same from its words."""
    axes = charts.spread(made)
    said = charts.describe(axes)
    assert drawn(axes).equals(said.table)
    assert int(said.table["records"].sum()) == int(made["records"].sum())
    assert axes.get_title(loc="left") in said
    labels = [int(text.get_text().replace(",", "")) for text in axes.texts]
    assert sorted(labels) == (sorted(made["records"]) if len(made) <= MOST_LABELS else [])


def test_the_words_for_known_data() -> None:
    """Literal, so that they are read when they change."""
    assert charts.describe(charts.spread(KNOWN)) == (
        "100 records in 3 partitions. "
        "Partition 0 holds the most, 50 (50.0%), and partition 1 the fewest, 20 (20.0%). "
        "Broker 1 leads 1 partition with 30 records. "
        "Broker 2 leads 1 partition with 50 records. "
        "Broker 3 leads 1 partition with 20 records."
    )


def test_a_partition_without_leader_is_grey_and_said() -> None:
    """During an election Kafka reports -1."""
    axes = charts.spread(KNOWN.assign(leader=-1))
    assert to_rgb(axes.patches[0].get_facecolor()) == to_rgb(look.REST)
    assert "Nobody leads 3 partitions with 100 records." in charts.describe(axes)


def test_no_partition_is_a_chart_too() -> None:
    """A topic may be gone when the chart is drawn."""
    axes = charts.spread(KNOWN[:0])
    assert charts.describe(axes) == "There is no partition to show."
    assert not axes.patches
    assert axes._repr_png_()


def test_brokers_differ_in_colour_and_in_grey() -> None:
    """Six brokers without a hatch would be two pairs in grey print."""
    bars = charts.spread(frame(6).assign(leader=range(1, 7))).patches
    assert len({bar.get_facecolor() for bar in bars}) == 6
    assert len({bar.get_hatch() for bar in bars}) == 6


def test_what_is_no_table_is_refused() -> None:
    """With the columns that are missing, and those that are there."""
    with refused(InvalidSetting, "no column records", "It has topic, partition, leader."):
        charts.spread(KNOWN.drop(columns="records"))
