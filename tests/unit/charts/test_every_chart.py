"""What holds for every chart: it says itself, refuses what it cannot draw, can be read."""

from __future__ import annotations

import subprocess
import sys
import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from eventlab import charts
from eventlab.charts import look
from eventlab.errors import InvalidSetting
from tests.unit.charts.known import FAULTS, MADE, NEEDED, OVER_TIME, START, drawn, points, texts
from tests.unit.refusals import refused

every = pytest.mark.parametrize("chart", MADE, ids=lambda chart: chart.__name__)
over_time = pytest.mark.parametrize("chart", OVER_TIME, ids=lambda chart: chart.__name__)


def test_these_are_all_charts():
    """One that is added is tested here as well."""
    assert {chart.__name__ for chart in MADE} | {"describe"} == set(charts.__all__)


@every
def test_a_chart_says_what_its_title_says_and_has_a_table(chart):
    """A learner who cannot see it has to learn the same from its words and numbers."""
    axes = chart(MADE[chart]())
    said = charts.describe(axes)
    assert said.startswith(axes.get_title(loc="left") + ". ")
    assert said.endswith(".")
    assert "  " not in said
    assert len(said.table) > 0
    assert repr(axes) == f"<Chart: {said}>"


@every
def test_a_chart_shows_itself_without_a_word_of_warning(chart):
    """As a picture with its words for who cannot see it, on white on every theme."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        axes = chart(MADE[chart]())
        png, about = axes._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert about["alt"] == str(charts.describe(axes))
    assert isinstance(axes.figure, Figure)
    assert axes.figure.get_facecolor() == (1, 1, 1, 1)
    assert about["width"] == round(100 * axes.figure.get_figwidth())


@every
def test_nothing_is_written_on_top_of_each_other_or_beside_the_picture(chart):
    """Names, numbers and title can all be read."""
    faults = {"faults": FAULTS} if chart in OVER_TIME else {}
    axes = chart(MADE[chart](), **faults)
    renderer = drawn(axes)
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts(axes)]
    whole = axes.figure.bbox
    for text, box in boxes:
        assert box.x0 >= whole.x0 - 1, text
        assert box.x1 <= whole.x1 + 1, text
        assert box.y0 >= whole.y0 - 1, text
        assert box.y1 <= whole.y1 + 1, text
    for (one, box), (other, second) in combinations(boxes, 2):
        shared = box.intersection(box, second)
        assert shared is None or min(shared.width, shared.height) <= 2, (one, other)


@every
def test_what_is_written_is_dark_enough(chart):
    """4.5 to 1 on white, as WCAG asks of text."""
    for text in texts(chart(MADE[chart]())):
        red, green, blue, _ = to_rgba(text.get_color())
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)
        ]
        luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
        assert 1.05 / (luminance + 0.05) >= 4.5, text.get_text()


def test_colours_that_come_together_differ_in_grey_as_well():
    """In colour, hatch, dash or marker: twelve brokers, twelve lines."""
    fills = {(look.fill(n)["facecolor"], look.fill(n)["hatch"]) for n in range(36)}
    assert len(fills) == 36
    six = [look.line(n) for n in range(6)]
    assert len({str(style["linestyle"]) for style in six}) == 6
    assert len({style["marker"] for style in six}) == 6
    assert len({look.fill(n)["hatch"] for n in range(6)}) == 6


@every
def test_no_row_is_a_chart_too(chart):
    """A topic may be new, a group idle, a run not begun."""
    axes = chart(MADE[chart]()[:0])
    said = charts.describe(axes)
    assert said == f"{axes.get_title(loc='left')}."
    assert said.startswith(("There is no ", "No "))
    assert len(said.table) == 0
    assert axes._repr_png_()


@every
def test_a_frame_of_columns_alone_is_no_row_either(chart):
    """Its columns have no type yet."""
    axes = chart(pd.DataFrame(columns=NEEDED[chart]))
    assert len(charts.describe(axes).table) == 0


@every
def test_one_row_is_a_chart(chart):
    """Nothing is divided by the time between the first and the last."""
    frame = MADE[chart]()
    row = frame[frame["f"] == "poll"][:1] if "f" in frame.columns else frame[:1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        axes = chart(row)
        assert axes._repr_png_()
    said = charts.describe(axes)
    assert len(said.table) == 1
    assert said == said.strip()
    assert "  " not in said


@every
def test_a_frame_is_not_changed(chart):
    """It belongs to the learner."""
    frame = MADE[chart]()
    before = frame.copy(deep=True)
    chart(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_pyplot_is_not_even_loaded():
    """Its list of open figures grows with every cell, and belongs to the learner."""
    code = (
        "import sys\nfrom eventlab import charts\nfrom tests.unit.charts.known import MADE\n"
        "for chart, make in MADE.items(): chart(make())._repr_png_()\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "False\n", done.stderr


@every
def test_a_frame_in_any_order_of_rows_and_index_gives_the_same(chart):
    """Except that reads are in read order, which is what that chart is about."""
    frame = MADE[chart]()
    other = frame if chart is charts.ordering else frame.iloc[::-1]
    other = other.set_index(pd.Index([7] * len(frame)))
    one, two = charts.describe(chart(frame)), charts.describe(chart(other))
    assert one == two
    pd.testing.assert_frame_equal(one.table, two.table)


@pytest.mark.parametrize(
    ("chart", "column"),
    [(chart, column) for chart, needed in NEEDED.items() for column in needed],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_column_that_is_missing_is_named(chart, column):
    """With the columns that are there, and those to give."""
    frame = MADE[chart]().drop(columns=column)
    asked = "key" if column == "key_id" else column
    with refused(InvalidSetting, f"no column {asked}", f"charts.{chart.__name__}", "It has "):
        chart(frame)


@every
@pytest.mark.parametrize("value", [None, [1, 2], {"time": [1]}, "orders", np.zeros((2, 2))])
def test_what_is_no_frame_is_refused(chart, value):
    """A list of dicts, or what observe was not called for."""
    with refused(InvalidSetting, "draws a DataFrame", type(value).__name__):
        chart(value)


@over_time
@pytest.mark.parametrize(
    ("time", "seen"),
    [
        (lambda time: time.dt.tz_localize(None), 'dt.tz_localize("UTC")'),
        (lambda time: time.astype("int64") // 10**6, 'unit="ms", utc=True'),
        (lambda time: time.astype(str), "pd.to_datetime"),
        (lambda time: time.where(time.index != 0), "without a time"),
    ],
    ids=["naive", "milliseconds", "text", "NaT"],
)
def test_times_that_are_none_are_refused_with_the_line_that_mends_them(chart, time, seen):
    """A naive time is nobody knows which zone's; Kafka's own are milliseconds."""
    frame = MADE[chart]()
    with refused(InvalidSetting, seen):
        chart(frame.assign(time=time(frame["time"])))


@over_time
def test_a_column_that_is_there_twice_is_refused(chart):
    """A merge makes such frames."""
    frame = MADE[chart]()
    with refused(InvalidSetting, "more than one column time"):
        chart(pd.concat([frame, frame[["time"]]], axis=1))


NUMBERS = [
    (charts.spread, "records", -1),
    (charts.spread, "leader", -2),
    (charts.spread, "partition", 0.5),
    (charts.spread, "records", None),
    (charts.lag, "lag", float("inf")),
    (charts.lag, "partition", -1),
    (charts.latency, "seconds", -0.001),
    (charts.latency, "seconds", float("inf")),
    (charts.ordering, "producer_seq", -2),
    (charts.ordering, "partition", None),
    (charts.leadership, "leader", -2),
    (charts.leadership, "leader_epoch", None),
    (charts.spacetime, "offset", -7),
]


@pytest.mark.parametrize(("chart", "column", "value"), NUMBERS)
def test_a_number_that_cannot_be_is_shown_with_its_row(chart, column, value):
    """A latency of minus a millisecond tells of a mistake before the chart."""
    frame = MADE[chart]().astype({column: object})
    frame[column] = frame[column].where(frame.reset_index().index != 1, value)
    frame[column] = pd.to_numeric(frame[column])
    with refused(InvalidSetting, column, "Row 1 has"):
        chart(frame)


@pytest.mark.parametrize(
    ("chart", "column", "values", "seen"),
    [
        (charts.spread, "records", "many", "pd.to_numeric"),
        (charts.lag, "lag", "5", "pd.to_numeric"),
        (charts.lag, "committed", 1, "True and False"),
        (charts.latency, "seconds", pd.Timedelta(seconds=1), "dt.total_seconds()"),
        (charts.assignment, "owned", "yes", "astype(bool)"),
        (charts.leadership, "isr", "1,2,3", "(1, 2, 3)"),
        (charts.spacetime, "event_id", "e1", "pd.to_numeric"),
    ],
)
def test_a_column_of_another_type_is_refused_with_the_line_that_mends_it(
    chart, column, values, seen
):
    """Text that looks like a number sorts and compares as text."""
    with refused(InvalidSetting, seen):
        chart(MADE[chart]().assign(**{column: values}))


@over_time
def test_faults_are_shaded_named_and_told(chart):
    """From second 4 to 7, on each chart of time."""
    axes = chart(MADE[chart](), faults=FAULTS)
    (band,) = [patch for patch in axes.patches if patch.get_gid()]
    left, right = band.get_x(), band.get_x() + band.get_width()
    assert (round(left, 6), round(right, 6)) == (4, 7)
    assert [text.get_text() for text in axes.texts if "killed" in text.get_text()] == [
        "▾ leader killed, broker 2"
    ]
    assert "Faults: leader killed, broker 2 (4 s to 7 s)." in charts.describe(axes)


@over_time
def test_a_fault_that_is_on_reaches_to_the_end_and_one_elsewhere_is_counted(chart):
    """One that began before the chart has no beginning on it."""
    faults = pd.DataFrame(
        {
            "start": [START - pd.Timedelta(seconds=2), START + pd.Timedelta(hours=3)],
            "end": [pd.NaT, pd.NaT],
            "fault": ["broker frozen", "link slow"],
            "target": ["broker 1", "broker 3"],
        }
    )
    axes = chart(MADE[chart](), faults=faults)
    said = charts.describe(axes)
    assert "broker frozen, broker 1 (from " in said
    assert "Outside the time shown: 1 fault." in said
    (band,) = [patch for patch in axes.patches if patch.get_gid()]
    assert band.get_x() + band.get_width() == pytest.approx(axes.get_xlim()[1], rel=0.04)


@over_time
@pytest.mark.parametrize("second", [0, 2, 5, 7.9])
def test_the_name_of_a_fault_points_at_its_start_or_is_within_the_chart(chart, second):
    """Also a long one, as of faults that say what the broker was to whom."""
    target = "broker 2, leader of a-topic-with-a-long-name-0"
    start = START + pd.Timedelta(seconds=second)
    axes = chart(MADE[chart](), faults=FAULTS.assign(start=start, end=pd.NaT, target=target))
    renderer = drawn(axes)
    (name,) = [text for text in axes.texts if "leader killed, broker 2" in text.get_text()]
    box, picture = name.get_window_extent(renderer), axes.figure.bbox
    assert picture.x0 <= box.x0
    assert box.x1 <= picture.x1
    pointer = box.x0 if name.get_text().startswith("▾") else box.x1
    assert "▾" in name.get_text()
    assert abs(pointer - axes.transData.transform((second, 0))[0]) < 15
    assert f"leader killed, {target[:31]}" in charts.describe(axes)


@over_time
@pytest.mark.parametrize("apart", [0.2, 1.1, 2.5])
def test_the_names_of_many_faults_are_all_there_and_none_on_top_of_another(chart, apart):
    """A notebook may break four things in ten seconds, and each says at length whom it hit."""
    whats = ["leader killed", "broker isolated", "follower frozen", "link slow"]
    targets = ["broker 2, leader of orders-0", "broker 1", "broker 3", "from broker 1 to broker 2"]
    starts = [START + pd.Timedelta(seconds=apart * n) for n in range(4)]
    faults = pd.DataFrame({"start": starts, "end": pd.NaT, "fault": whats, "target": targets})
    axes = chart(MADE[chart](), faults=faults)
    renderer = drawn(axes)
    boxes = dict.fromkeys(whats)
    for text in axes.texts:
        for what in whats:
            if what in text.get_text():
                boxes[what] = text.get_window_extent(renderer)
    assert None not in boxes.values()
    for one, other in combinations(boxes.values(), 2):
        shared = one.intersection(one, other)
        assert shared is None or min(shared.width, shared.height) <= 2
    assert all(box.x1 <= axes.bbox.x1 + 1 for box in boxes.values())


@over_time
def test_a_fault_that_was_mended_before_takes_no_room(chart):
    """A notebook breaks one thing after the other, and each picture is of one of them."""
    before = {"start": START - pd.Timedelta(seconds=3), "end": START - pd.Timedelta(seconds=2)}
    axes = chart(MADE[chart](), faults=FAULTS.assign(**before))
    assert axes.get_xlim() == chart(MADE[chart]()).get_xlim()
    assert "Outside the time shown: 1 fault." in charts.describe(axes)


@over_time
def test_a_fault_that_began_before_has_no_beginning_on_the_chart(chart):
    """A line at the left edge would say that it began there."""

    def beginnings(faults):
        axes = chart(MADE[chart](), faults=faults)
        return sum(drawn.get_color() == look.FAULT for drawn in axes.lines)

    assert beginnings(FAULTS) == 1
    assert beginnings(FAULTS.assign(start=START - pd.Timedelta(minutes=1))) == 0


@every
def test_names_with_dollars_are_no_mathematics(chart):
    """Matplotlib would set what stands between two of them as a formula, or fail to."""
    frame, odd = MADE[chart](), r"$\frac{a$"
    names = {name: odd for name in ("topic", "client") if name in frame.columns}
    other = frame.assign(topic="$two$") if "topic" in frame.columns else frame
    faults = {"faults": FAULTS.assign(target=odd)} if chart in OVER_TIME else {}
    axes = chart(pd.concat([frame.assign(**names), other]), **faults)
    odd_ones = [text for text in texts(axes) if "$" in text.get_text()]
    assert not [text.get_text() for text in odd_ones if text.get_parse_math()]
    assert odd_ones or chart in (charts.spread, charts.ordering)
    assert axes._repr_png_()


@over_time
@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda faults: faults.drop(columns="target"), "no column target"),
        (
            lambda faults: faults.assign(start=faults["end"], end=faults["start"]),
            "before it starts",
        ),
        (lambda faults: faults.assign(start=pd.NaT), "Column start"),
        (lambda faults: [1], "draws a DataFrame"),
    ],
    ids=["column", "order", "NaT", "list"],
)
def test_faults_that_are_none_are_refused(chart, change, seen):
    """Before anything is drawn."""
    with refused(InvalidSetting, seen):
        chart(MADE[chart](), faults=change(FAULTS))


@over_time
def test_no_faults_are_the_same_as_none(chart):
    """A run without any has a frame without rows."""
    frame = MADE[chart]()
    assert charts.describe(chart(frame, faults=FAULTS[:0])) == charts.describe(chart(frame))


def test_what_is_no_chart_cannot_be_described():
    """Somebody else's Axes have no words."""
    with refused(InvalidSetting, "You gave Axes"):
        charts.describe(Figure().add_subplot())


def test_words_of_a_learner_are_no_markdown_and_no_html():
    """A client's name may be anything, and JupyterLab renders what a summary returns."""
    frame = MADE[charts.assignment]().assign(client="<img src=x> *$a$*")
    shown = charts.describe(charts.assignment(frame[frame["process"] == 1]))
    assert "<img src=x" in shown
    assert "<" not in shown._repr_markdown_().replace("\\<", "")
    assert "\\*\\$a\\$\\*" in shown._repr_markdown_()


@every
def test_a_chart_is_drawn_from_few_points(chart):
    """Also from those that were few to begin with."""
    assert points(chart(MADE[chart]())) < 2000
