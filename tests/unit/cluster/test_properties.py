"""What is written into a server.properties is what Kafka reads from it."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from eventlab.cluster import nodes, properties
from eventlab.cluster.settings import Settings

ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def read_as_java(text: str) -> dict[str, str]:
    """Read properties by the rules of java.util.Properties.load, from ISO 8859-1."""
    natural = re.split(r"\r\n|\r|\n", text.encode("ascii").decode("latin-1"))
    lines = iter(natural)
    found: dict[str, str] = {}
    for raw in lines:
        line = raw.lstrip(" \t\f")
        if not line or line[0] in "#!":
            continue
        while len(line) - len(line.rstrip("\\")) & 1:
            line = line[:-1] + next(lines, "").lstrip(" \t\f")
        key = re.match(r"(?:[^\\=: \t\f]|\\.)*", line)[0]
        rest = line[len(key) :].lstrip(" \t\f")
        value = rest[1:].lstrip(" \t\f") if rest[:1] in ("=", ":") else rest
        found[_unescape(key)] = _unescape(value)
    return found


def _unescape(text: str) -> str:
    units = bytearray()
    for match in re.finditer(r"\\u([0-9a-fA-F]{4})|\\(.)|(.)", text, re.DOTALL):
        code, escaped, plain = match.groups()
        if code:
            units += int(code, 16).to_bytes(2, "big")
        else:
            char = ESCAPES.get(escaped, escaped) if escaped else plain
            units += char.encode("utf-16-be", "surrogatepass")
    return units.decode("utf-16-be", "surrogatepass")


def test_the_reader_of_this_test_reads_as_java_does():
    """The examples of the Java documentation, so that the next test means something."""
    assert read_as_java("Truth = Beauty\n  Truth2:Beauty\nTruth3   :Beauty") == {
        "Truth": "Beauty",
        "Truth2": "Beauty",
        "Truth3": "Beauty",
    }
    assert read_as_java("fruits   apple, banana, \\\n    pear\ncheeses\n# no=thing") == {
        "fruits": "apple, banana, pear",
        "cheeses": "",
    }
    assert read_as_java("a\\:b=\\u00e9\\t\\\\") == {"a:b": "é\t\\"}


@given(some.text(some.characters(codec=None)))
@example("  two spaces at first and at last  ")
@example("C:\\Users\\new\\")
@example("# no = comment: !")
def test_any_value_comes_back(value):
    """Whatever a user's folder is called, the broker's log.dirs is that folder."""
    assert read_as_java(f"log.dirs={properties.escape(value)}\n") == {"log.dirs": value}


@pytest.mark.parametrize(
    ("value", "text"),
    [("plain", "plain"), (" a", "\\ a"), ("a\\b", "a\\\\b"), ("é", "\\u00e9"), ("a=b:#!", "a=b:#!"),
     ("🦉", "\\ud83e\\udd89"), ("a\nb", "a\\u000ab"), ("\t", "\\u0009"), ("a\\", "a\\\\")],
)  # fmt: skip
def test_what_is_written_is_ascii(value, text):
    """Java reads ISO 8859-1, so everything else is written as an escape."""
    assert properties.escape(value) == text


def rendered(settings: Settings) -> list[dict[str, str]]:
    """Return the properties of each node, as its JVM reads them."""
    settings = settings.resolved()
    layout = nodes.layout(settings)
    return [read_as_java(properties.render(n, layout, settings, "/data/é x")) for n in layout]


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(profile="stock"),
        Settings(profile="small"),
        Settings(topology="combined"),
    ],
    ids=str,
)
def test_every_listener_is_on_loopback(settings):
    """A lab has no passwords, so nobody else may reach it."""
    for told in rendered(settings):
        for key in ("listeners", "advertised.listeners"):
            for listener in told.get(key, "CLIENT://127.0.0.1:1").split(","):
                assert re.fullmatch(r"(CLIENT|REPLICATION|CONTROLLER)://127\.0\.0\.1:\d+", listener)
        for voter in told["controller.quorum.voters"].split(","):
            assert re.fullmatch(r"\d+@127\.0\.0\.1:\d+", voter)
        assert told["log.dirs"] == "/data/é x"


def test_the_users_own_properties_win():
    """Whoever names a property means it, on every node and over the lab's own value."""
    asked = {"broker.session.timeout.ms": 9000, "auto.create.topics.enable": True}
    for told in rendered(Settings(properties=asked)):
        assert told["broker.session.timeout.ms"] == "9000"
        assert told["auto.create.topics.enable"] == "true"


def test_stock_has_kafkas_own_timings():
    """Who wants to see Kafka's defaults must get them."""
    for told in rendered(Settings(profile="stock")):
        assert "broker.session.timeout.ms" not in told
        assert told["offsets.topic.replication.factor"] == "3"


@pytest.mark.parametrize(
    ("brokers", "copies", "in_sync"), [(1, 1, 1), (2, 2, 1), (3, 3, 2), (9, 3, 2)]
)
def test_internal_topics_fit_the_cluster(brokers, copies, in_sync):
    """More replicas than brokers, and no consumer group would ever work."""
    for told in rendered(Settings(brokers=brokers)):
        assert told["offsets.topic.replication.factor"] == str(copies)
        assert told["transaction.state.log.min.isr"] == str(in_sync)
