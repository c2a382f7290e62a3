"""One method for each kind of event, with one body: it takes what the class of the event takes.

To a type checker it is the signature of the class, parameter by parameter; so it is to `help()`
and to Shift-Tab in JupyterLab, which ask at run time.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol

from eventlab.orders.events import Event
from eventlab.orders.publisher.delivery import Delivery

P = ParamSpec("P")


class Publishes(Protocol):
    """Whoever can publish an event."""

    def publish(self, event: Event) -> Delivery:
        """Send an event."""


def publishing(kind: Callable[P, Event]) -> Callable[Concatenate[Publishes, P], Delivery]:
    """Return the method that makes an event of this class and publishes it."""

    def publish(self: Publishes, /, *args: P.args, **fields: P.kwargs) -> Delivery:
        return self.publish(kind(*args, **fields))

    name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    publish.__name__ = f"publish_{name}"
    publish.__qualname__ = f"OrderPublisher.{publish.__name__}"
    first = (inspect.getdoc(kind) or "").splitlines()[0]
    publish.__doc__ = f"Publish {kind.__name__}: {first[0].lower()}{first[1:]}"
    publish.__signature__ = _signature(kind)  # type: ignore[attr-defined]
    return publish


def _signature(kind: Callable[..., Event]) -> inspect.Signature:
    told = inspect.signature(kind)
    me = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    return told.replace(parameters=[me, *told.parameters.values()], return_annotation="Delivery")
