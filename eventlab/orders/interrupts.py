"""Ctrl-C and SIGTERM as a wish to end, and not as an end in the middle of something."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_ASKED = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def heard(ask: Callable[[], object]) -> Iterator[None]:
    """Call `ask` at the first signal; the second one does what it always does.

    Only the main thread hears signals: in another one nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _ASKED}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number: int, frame: Any) -> None:
        restore()
        ask()

    for number in _ASKED:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()
