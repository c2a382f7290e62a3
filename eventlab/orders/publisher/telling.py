"""Telling of each delivery, without any harm to the thread that tells."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from eventlab.errors import InvalidSetting, shown
from eventlab.orders.publisher.delivery import Delivery, named

log = logging.getLogger(__name__)


class Telling:
    """A callback for deliveries; what it raises is logged with the id of the event."""

    def __init__(self, callback: Callable[[Delivery], object]) -> None:
        if not callable(callback):
            seen, fix = f"You gave {shown(callback)}.", "Pass a function of one delivery."
            raise InvalidSetting("on_delivery cannot be called.", seen, fix)
        self._callback = callback

    def when_known(self, delivery: Delivery) -> None:
        """Call it once it is known what became of the event."""
        delivery._future.add_both(partial(self._tell, delivery))

    def _tell(self, delivery: Delivery, _: object) -> None:
        try:
            self._callback(delivery)
        except BaseException:  # a SystemExit would end the thread that sends for all
            name = getattr(delivery.event, "event_id", "not decoded")
            log.exception("on_delivery raised for %s (event %s)", named(delivery.event), name)
