"""Errors are three short sentences, and survive where errors go."""

from __future__ import annotations

import ast
import copy
import inspect
import pickle
from pathlib import Path

import pytest

import eventlab
from eventlab import errors
from eventlab.errors import EventlabError, StartFailed, shown

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, EventlabError)
]
PACKAGE = Path(eventlab.__file__).parent


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_one_of_ours_and_says_what_it_means(kind):
    """One `except EventlabError` is enough; the docstring is what `help()` shows."""
    error = kind("It broke.", "It was 5.", "Use 3.")
    assert str(error) == "It broke. It was 5. Use 3."
    assert isinstance(error, EventlabError)
    assert kind.__doc__.endswith(".")


@pytest.mark.parametrize("kind", KINDS)
def test_errors_can_be_copied_and_sent(kind):
    """A process pool sends them, a notebook keeps them."""
    error = kind("It broke.", "It was 5.", "Use 3.")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is kind
        assert twin.args == error.args
    assert pickle.loads(pickle.dumps(StartFailed("a.", "b.", "c.", "log"))).log == "log"


def test_errors_are_what_python_calls_them():
    """`except ValueError`, `except TimeoutError` and `except LookupError` work too."""
    assert issubclass(errors.InvalidSetting, ValueError)
    assert issubclass(errors.NeverHappened, TimeoutError)
    assert issubclass(errors.UnknownTopic, LookupError)
    assert issubclass(errors.UnknownGroup, LookupError)


def raised(path: Path):
    """Yield each call in a module that makes one of our errors."""
    names = {kind.__name__ for kind in KINDS}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_every_message_has_three_sentences(path):
    """Written in place, each with an end, so that nobody has to run into it to read it."""
    for call in raised(path):
        sentences = [argument for argument in call.args if not isinstance(argument, ast.Starred)]
        assert len(sentences) >= 3, f"{path.name}:{call.lineno}"
        for sentence in sentences[:3]:
            text = ast.unparse(sentence).rstrip("'\"")
            literal = isinstance(sentence, ast.Constant | ast.JoinedStr)
            assert not literal or text[-1] in ".?", f"{path.name}:{call.lineno}: {text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        ("a", "'a'"),
        ("a\nb", r"'a\nb'"),
        (None, "None"),
        ("x" * 99, "'" + "x" * 76 + "..."),
        (10**5000, "something of type int"),
    ],
    ids=["int", "str", "line break", "None", "long", "5000 digits"],
)
def test_a_value_is_shown_on_one_line(value, text):
    """Whatever it is: a message that cannot be made would hide what it is about."""
    assert shown(value) == text


def test_a_name_that_is_none_is_answered_with_those_that_there_are():
    """The nearest one where there is one, and never more than fits a sentence."""
    assert errors.instead("ordrs", ["orders", "payments"], "Look.") == (
        "This cluster has: orders, payments.",
        "Did you mean 'orders'?",
    )
    assert errors.instead(5, [], "Look.") == ("This cluster has: none.", "Look.")
    many, fix = errors.instead("x", [f"student-{number:03}" for number in range(500)], "Look.")
    assert many.startswith("This cluster has: student-000, student-001,")
    assert many.endswith("and more.")
    assert len(many) < 400
    assert fix == "Look."


def test_a_value_that_takes_many_lines_takes_one():
    """A DataFrame that was given where a dict was wanted."""

    class Table:
        def __repr__(self) -> str:
            return "a  b\n1  2"

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    assert shown(Table()) == "a b 1 2"
    assert shown(Broken()) == "something of type Broken"
