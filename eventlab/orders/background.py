"""Running something in a thread that ends with a block: a relay, a schedule.

with running(relay.run), running(schedule.run):
    ...
# both have ended here, or NeverHappened says which has not
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from eventlab.errors import NeverHappened
from eventlab.waiting import Deadline, seconds


@contextmanager
def running(run: Callable[[Event], object], within: float = 15.0) -> Iterator[Thread]:
    """Run `run(stop)` in a thread; at the end of the block set `stop`, and wait for the thread.

    What it raised is raised there, unless the block has raised already; NeverHappened when it has
    not ended after so many seconds.
    """
    deadline_of = seconds("within", within)
    stop, raised = Event(), list[BaseException]()

    def body() -> None:
        try:
            run(stop)
        except BaseException as error:
            raised.append(error)

    thread = Thread(target=body, name=_name(run), daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(Deadline(deadline_of).left)
    if thread.is_alive():
        what = f"{thread.name} has not ended."
        seen = f"It was told to, {within:g} s ago."
        raise NeverHappened(what, seen, "See what it waits for: its log tells.")
    if raised:
        raise raised[0]


def _name(run: Callable[[Event], object]) -> str:
    return getattr(run, "__qualname__", type(run).__name__)
