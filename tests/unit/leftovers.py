"""What a call must not leave in this process: threads, sockets, files."""

from __future__ import annotations

import contextlib
import gc
import os
import threading

import psutil

from eventlab.waiting import wait_until


@contextlib.contextmanager
def nothing_left():
    """Fail when a thread or a socket of the block is there after it."""

    def there():
        return threading.active_count(), psutil.Process(os.getpid()).num_fds()

    def gone():
        gc.collect()  # a socket that did not connect is in no list that could be closed
        return there() <= before

    gc.collect()
    before = there()
    yield
    wait_until(gone, 5, lambda: f"There were {before}, there are {there()}.")
