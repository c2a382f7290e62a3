"""Nine methods, one for each event: each takes what its event takes, and says so."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest

from eventlab.orders.events import EVENTS, OrderCancelled
from eventlab.orders.publisher import OrderPublisher

KINDS = list(EVENTS.values())


class Listening:
    """Publishes by giving back what it should publish."""

    def publish(self, event):
        return event


def method(kind):
    """Return the method that publishes events of a class."""
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in kind.__name__)
    return getattr(OrderPublisher, f"publish{name}")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_event_has_its_method(kind):
    """Its parameters are the fields, by name, order and default, after `self`."""
    publish = method(kind)
    me, *parameters = inspect.signature(publish).parameters.values()
    assert me.name == "self"
    assert parameters == list(inspect.signature(kind).parameters.values())
    assert {p.name for p in parameters} == {field.name for field in fields(kind)}
    assert inspect.getdoc(publish).startswith(f"Publish {kind.__name__}: ")
    assert publish.__qualname__ == f"OrderPublisher.{publish.__name__}"


def test_there_are_nine_and_no_more():
    there = [name for name in vars(OrderPublisher) if name.startswith("publish_")]
    assert sorted(there) == sorted([*(method(k).__name__ for k in KINDS), "publish_encoded"])


def test_a_method_publishes_the_event_that_its_arguments_make():
    event = method(OrderCancelled)(Listening(), "O-1", reason="late", event_id="E-1")
    assert event == OrderCancelled("O-1", "late", event_id="E-1", time=event.time)


def test_an_argument_that_is_none_is_refused_as_by_the_event():
    with pytest.raises(TypeError, match="wrong"):
        OrderPublisher.publish_order_created(Listening(), "O-1", "C-1", (), wrong=1)
