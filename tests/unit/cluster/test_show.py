"""How a cluster and its nodes show themselves."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as some

from eventlab.cluster import show

NODE = {"node_id": 1, "role": "broker", "state": "running", "pid": 47, "address": "127.0.0.1:9"}
STATE = {
    "name": "lab",
    "kafka_version": "4.4.0",
    "bootstrap_servers": "127.0.0.1:9",
    "nodes": [NODE, NODE | {"node_id": 2, "state": "killed", "pid": None}],
}


class Cells(HTMLParser):
    """Collects the text of each cell, and every tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data):
        self.cells[-1] += data


def test_a_node_is_one_line_that_can_be_read_aloud():
    """A dead node has no pid to show."""
    assert show.node_line(NODE) == "<Broker 1 · 127.0.0.1:9 · running · pid 47>"
    assert show.node_line(STATE["nodes"][1]) == "<Broker 2 · 127.0.0.1:9 · killed>"


def test_a_cluster_is_one_line():
    """How many nodes run, and where to connect."""
    expected = "<Cluster lab · Kafka 4.4.0 · 1 of 2 nodes running · 127.0.0.1:9>"
    assert show.cluster_line(STATE) == expected


def test_a_table_has_a_row_for_each_node():
    """Heads are marked as such for screen readers; what is not there is an empty cell."""
    html = show.table(STATE["nodes"], ("node_id", "pid"))
    assert Cells(html).cells == ["node_id", "pid", "1", "47", "2", ""]
    assert html.count('<th scope="col">') == 2
    assert "lab" in show.cluster_table(STATE)


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a & b", '"><img src=x onerror=y>'])
def test_nothing_in_a_value_is_markup(text):
    """A value that came from somewhere else must not run in the notebook."""
    assert Cells(show.table([{"a": text}], ["a"])).cells == ["a", text]
    assert text not in show.cluster_table(STATE | {"name": text}).replace("a & b &", "")


@given(some.text(some.characters(exclude_categories=["C"])))
def test_any_value_is_shown_as_it_is(text):
    """The cell says what the value is, and holds no tag of its own."""
    shown = Cells(show.table([{text: text}], [text]))
    assert shown.cells == [text, text]
    assert shown.tags == {"table", "thead", "tbody", "tr", "th", "td"}
