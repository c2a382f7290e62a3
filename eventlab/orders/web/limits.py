"""How much one client may ask: a bucket of tokens for each, and how many ask at once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from eventlab.errors import InvalidSetting, shown

_MOST_CLIENTS = 4096
_MOST_RATE = 1_000_000


class Buckets:
    """A token bucket for each client: `rate` requests a second, and twice as many in a burst."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        if not isinstance(rate, int | float) or not 0 < rate <= _MOST_RATE:
            raise InvalidSetting(
                "rate cannot be this.",
                f"You gave {shown(rate)}.",
                "Use requests of one client in a second, such as rate=50.",
            )
        self._rate = rate
        self._clock = clock
        self._full: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client: tokens, when

    def wait(self, client: str) -> float:
        """Take a token; return 0, or the seconds after which there will be one."""
        now, most = self._clock(), max(1.0, 2 * self._rate)
        tokens, then = self._full.pop(client, (most, now))
        tokens = min(most, tokens + (now - then) * self._rate)
        taken = tokens >= 1
        self._full[client] = (tokens - 1 if taken else tokens, now)
        if len(self._full) > _MOST_CLIENTS:
            self._full.popitem(last=False)  # who was here longest ago has a full one by now
        return 0.0 if taken else (1 - tokens) / self._rate
