"""What a learner may get wrong is answered in three sentences, at once, with nothing changed."""

from __future__ import annotations

import math
import socket
import threading
import time
from types import SimpleNamespace

import pandas as pd
import pytest

from eventlab import environment, history
from eventlab.errors import InvalidSetting
from tests.unit.history.story import P0, Story
from tests.unit.refusals import refused


@pytest.fixture
def story():
    story = Story()
    story.sends(story.producer(), 3)
    story.poll(story.consumer(), range(3))
    return story


@pytest.mark.parametrize("name", ["", "a/b", "../up", None, 7, "x" * 101, "line\nbreak", ".hidden"])
def test_a_name_that_is_no_file_name(name):
    with refused(InvalidSetting, "name"):
        history.record(name)


@pytest.mark.parametrize("name", ["orders-run", "Übung 3", "a.b_c"])
def test_names_that_learners_use(name):
    assert history.record(name).name == name


def test_a_cluster_that_is_none():
    with refused(InvalidSetting, "'127.0.0.1:9092'"):
        history.record("run", "127.0.0.1:9092")


@pytest.mark.parametrize("call", ["producer", "consumer"])
@pytest.mark.parametrize("client", [None, "producer", 7, object()])
def test_what_is_no_client(call, client):
    run = history.record("run")
    with refused(InvalidSetting, f"run.{call}", "run.recorder"):
        getattr(run, call)(client)
    assert len(run.operations()) == 0


@pytest.mark.parametrize("argument", ["allow", "forbid"])
def test_an_anomaly_that_is_none_is_answered_with_the_nearest(story, argument):
    with refused(InvalidSetting, "'duplicates'", "'duplicate'"):
        story.run.verify(**{argument: ["duplicates"]})
    with refused(InvalidSetting, "7"):
        story.run.verify(**{argument: [7]})


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, "60", None, True])
@pytest.mark.parametrize("argument", ["within", "progress"])
def test_a_time_that_is_none(story, argument, seconds):
    with refused(InvalidSetting, argument):
        story.run.verify(**{argument: seconds})


def test_effects_without_their_columns(story):
    for wrong in (pd.DataFrame({"topic": ["orders"]}), [1, 2], "effects"):
        with refused(InvalidSetting, "partition"):
            story.run.verify(effects=wrong)
    frame = pd.DataFrame({"topic": ["orders"], "partition": ["first"], "offset": [0]})
    with refused(InvalidSetting, "first"):
        story.run.verify(effects=frame)


def test_faults_without_their_columns():
    run = history.record("run")
    with refused(InvalidSetting, "target"):
        run.faults(pd.DataFrame({"start": [], "end": [], "fault": []}))
    wrong = pd.DataFrame({"start": ["soon"], "end": [None], "fault": ["x"], "target": ["y"]})
    with refused(InvalidSetting, "soon"):
        run.faults(wrong)


def test_faults_are_recorded_once_and_their_ends_when_they_come():
    """The same frame, longer: what was told is not told twice."""
    run, now = history.record("run"), pd.Timestamp("2026-01-01", tz="UTC")
    begun = pd.DataFrame([(now, pd.NaT, "leader killed", "broker 2")], columns=FAULT)
    run.faults(begun)
    run.faults(begun.assign(end=[now + pd.Timedelta("3s")]))
    told = run.operations()
    assert told["f"].tolist() == ["fault", "heal"]
    assert told["error"].tolist() == ["leader killed: broker 2"] * 2
    assert told["time"].tolist() == [now, now + pd.Timedelta("3s")]


FAULT = ["start", "end", "fault", "target"]


def test_handled_by_whom(story):
    """One reader is meant when there is one; of two, one has to be named."""
    record = SimpleNamespace(topic="orders", partition=0, offset=1)
    story.run.handled(record)
    other = story.consumer("shipping")
    story.poll(other, range(3))
    with refused(InvalidSetting, "by=consumer"):
        story.run.handled(record)
    story.run.handled(record, by=other)
    with refused(InvalidSetting, "by='me'"):
        story.run.handled(record, by="me")
    assert story.run.operations().query("f == 'handle'")["client"].tolist() == [
        "consumer",
        "consumer 2",
    ]


def test_a_question_about_an_anomaly_that_is_none(story):
    verdict = story.judge()
    for ask in (verdict.count, verdict.witnesses):
        with refused(InvalidSetting, "'lots'", "lost"):
            ask("lots")


def test_values_of_records_are_escaped_where_they_are_shown(story):
    """A key, a topic or an error may hold what a browser would run."""
    evil = "<script>alert(1)</script>"
    producer = story.producer()
    story.send(producer, b"x", ("orders", 0), key=evil.encode())
    producer.failed(producer.sent(evil, None, b"y", at=story.tick()), evil)
    del story.logs[P0][1]
    story.run.name = evil
    assert "<script" not in story.judge()._repr_html_()


def test_before_anything_happened_frames_are_empty_and_whole():
    """An empty run has all columns."""
    run = history.record("run")
    for name in ("operations", "sends", "reads", "assignments"):
        frame = getattr(run, name)()
        assert len(frame) == 0
        assert "time" in frame.columns
    verdict = run.verify()
    assert verdict.outcome == "unknown"
    assert len(verdict.records()) == len(verdict.witnesses()) == 0


@pytest.mark.parametrize("listens", [False, True])
def test_brokers_that_are_not_there_leave_it_unknown_and_nothing_behind(story, listens):
    """Nobody at the address, or somebody who never answers: in time, without a thread or socket."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        story.run._address = {"bootstrap_servers": f"127.0.0.1:{silent.getsockname()[1]}"}
        threads, begun = threading.active_count(), time.monotonic()
        verdict = story.run.verify(within=1)
    assert time.monotonic() - begun < 3 * environment.patience()
    assert verdict.outcome == "unknown"
    assert verdict.doubts[0] == "The final read broke off: KafkaTimeoutError."
    assert threading.active_count() == threads
