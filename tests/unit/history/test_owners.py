"""Who owned a partition until when, also one who could not say that it was over."""

from __future__ import annotations

import pandas as pd
import pytest

from eventlab import charts
from tests.unit.history.story import P0, P1, Story


def owned(story: Story) -> list[tuple[str, int, bool]]:
    """Return client, partition and whether it owned it from then on, by time."""
    frame = story.run.assignments()
    assert frame["time"].is_monotonic_increasing
    return list(zip(frame["client"], frame["partition"], frame["owned"], strict=True))


def at(story: Story, step: int) -> pd.Timestamp:
    """Return the time of a step."""
    return pd.Timestamp(story.run._begun + step * 1_000_000, tz="UTC")


def fault(story: Story, what: str, target: str) -> None:
    """Tell of a fault that begins now."""
    row = {"start": at(story, story.steps + 1), "end": pd.NaT, "fault": what, "target": target}
    story.run.faults(pd.DataFrame([row]))
    story.tick()


def taken_over(acts_until_the_end: bool = False) -> Story:
    """Return a story in which a second consumer of the group gets what the first had."""
    story = Story()
    story.sends(story.producer(), 4)
    first, second = story.consumer(), story.consumer()
    story.own(first, 1)
    story.poll(first, [0, 1])
    story.own(second, 2)
    story.poll(second, [2])
    if acts_until_the_end:
        story.poll(first, [3])
    return story


def test_what_a_killed_consumer_had_is_over_when_its_group_gives_it_to_another():
    """It could not tell; the group's next generation does, and the chart has one owner a time."""
    story = taken_over()
    assert owned(story) == [("consumer", 0, True), ("consumer 2", 0, True), ("consumer", 0, False)]
    frame = story.run.assignments()
    assert frame["time"].iloc[1] == frame["time"].iloc[2]
    assert frame["generation"].tolist() == [1, 2, -1]
    said = charts.describe(charts.assignment(frame))
    assert said.startswith("Each partition had one owner all the time. ")
    assert said.endswith("Owned at the end: consumer 2 1.")


def test_one_that_goes_on_reading_is_an_owner_too_until_it_stops():
    """A member that was thought dead is what the chart has to show."""
    story = taken_over(acts_until_the_end=True)
    frame = story.run.assignments()
    assert frame["owned"].tolist() == [True, True, False]
    assert frame["time"].iloc[2] == story.run.reads()["time"].iloc[-1]
    assert charts.assignment(frame).get_title(loc="left").startswith("Partition 0 had two owners")


@pytest.mark.parametrize("what", ["consumer killed", "consumer crashed", "client stopped"])
def test_a_fault_that_ends_a_consumer_ends_what_it_owns(what):
    """From then on nobody reads, until the group gives its partitions to another."""
    story = Story()
    first = story.consumer()
    story.own(first, 1, [P0, P1])
    fault(story, what, "consumer")
    story.own(story.consumer(), 2, [P0])
    assert owned(story) == [
        *(("consumer", p, True) for p in (0, 1)),
        *(("consumer", p, False) for p in (0, 1)),
        ("consumer 2", 0, True),
    ]
    table = charts.describe(charts.assignment(story.run.assignments())).table
    assert table[table["owner"].isna()]["partition"].tolist() == [0]


@pytest.mark.parametrize(
    ("what", "target"), [("consumer frozen", "consumer"), ("broker killed", "broker 1")]
)
def test_a_fault_that_does_not_end_it_leaves_it_what_it_has(what, target):
    """What is frozen owns on; what hits another has nothing to do with it."""
    story = Story()
    story.own(story.consumer(), 1)
    fault(story, what, target)
    assert owned(story) == [("consumer", 0, True)]


def test_who_gave_up_or_belongs_elsewhere_is_left_alone():
    """Other groups, those who assign themselves, and what is over already."""
    story = Story()
    first, other, alone = story.consumer(), story.consumer("shipping"), story.consumer(None)
    for each, generation in ((first, 1), (other, 7), (alone, -1)):
        story.own(each, generation)
    first.revoked([P0], at=story.tick())
    story.own(story.consumer(None), -1)
    story.own(first, 2)
    assert [is_owned for _, _, is_owned in owned(story)] == [True, True, True, False, True, True]
