"""The whole shop at work: data/ flows through Kafka into SQL, and one sees how far it has come.

Publisher, members of a group, relay, timer and web side are threads here; outside a demo each is a
process of its own. The cluster is a real one, so its brokers can be killed while the demo runs:

    from eventlab import Cluster
    Cluster.start("orders-demo").brokers[1].kill()
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventlab import charts, faults, observe
from eventlab.cluster.cluster import Cluster
from eventlab.errors import InvalidSetting, NeverHappened, shown
from eventlab.orders import interrupts, topics
from eventlab.orders.asyncapi import TOPICS
from eventlab.orders.background import running
from eventlab.orders.outbox import rows
from eventlab.orders.outbox.relay import Relay
from eventlab.orders.processes.board import Board
from eventlab.orders.processes.sample import Sending, recorded
from eventlab.orders.publisher import OrderPublisher
from eventlab.orders.schedule import Schedule
from eventlab.orders.store import Store
from eventlab.orders.subscriber import OrderSubscriber
from eventlab.orders.timers import cancel_unpaid
from eventlab.orders.web import OrderApi, serve

if TYPE_CHECKING:
    import pandas as pd

    from eventlab.observe.watching import Watch

GROUP = "shop"
_PATIENCE = timedelta(days=28)  # the sample shop cancels after three weeks itself
_TICK = 0.1  # seconds
_LOOK = 0.5
_NEWER = 5.0
_FLUSHED = 5.0  # for which the end of a demo may wait; then it is tried again


def play(options: argparse.Namespace, say: Callable[[str], object]) -> None:
    """Let the first `orders` orders of `data` happen at `rate` events a second, and show it.

    The rate 0 is as fast as it goes. It ends when all is in the tables, or with Ctrl-C; the cluster
    ends with it unless somebody else holds it.
    """
    _check(options)
    stop = threading.Event()
    with interrupts.heard(stop.set), ExitStack() as opened:
        cluster = opened.enter_context(Cluster(options.cluster))
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="eventlab-demo-"))
        servers = cluster.bootstrap_servers
        topics.make(servers)
        store = opened.enter_context(Store(Path(folder) / "shop.db"))
        _begin(opened, servers, store, options.members)
        server = opened.enter_context(serve(OrderApi(store, servers)))
        say(f"Place orders yourself, and watch them: {server.link()}")
        flow = opened.enter_context(_Flow(servers, options))
        seen = opened.enter_context(observe.watch(cluster, observe.lag, GROUP, every=_LOOK))
        _show(Board(sys.stdout), flow, store, seen, stop)
        if options.save:
            say(_drawn(options.save, seen.frame(), faults.frame(cluster)))


def _check(options: argparse.Namespace) -> None:
    for name, low in (("orders", 1), ("members", 1), ("rate", 0)):
        value = getattr(options, name)
        if not low <= value <= 1_000_000:
            raise InvalidSetting(
                f"--{name} cannot be this.",
                f"You gave {shown(value)}.",
                f"Use a number from {low}, such as --{name} {max(low, 3)}.",
            )


def _begin(opened: ExitStack, servers: str, store: Store, members: int) -> None:
    """Open what stands between the topics and the tables; it ends with `opened`."""
    timer = partial(cancel_unpaid, after=_PATIENCE)
    publisher = opened.enter_context(OrderPublisher(servers))
    opened.enter_context(running(Relay(store, publisher).run))
    names = sorted(TOPICS.values())
    for number in range(1, members + 1):
        member = OrderSubscriber(
            servers, GROUP, names, store=store, timer=timer, client_id=f"member-{number}"
        )
        opened.enter_context(member)
        opened.enter_context(running(partial(_run, member)))


def _run(member: OrderSubscriber, over: threading.Event) -> None:
    member.run(over.is_set)


def _drawn(path: str, lag: pd.DataFrame, shaded: pd.DataFrame) -> str:
    """Draw the lag of the group into a file; return what the chart says."""
    axes = charts.lag(lag, faults=shaded)
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.savefig(path)
    return f"{path}: {charts.describe(axes)}"


class _Flow:
    """Publishes what is in the files at its rate, in the background."""

    def __init__(self, servers: str, options: argparse.Namespace) -> None:
        self.total = sum(1 for _ in recorded(options.orders, options.data))
        self._at_once = sum(1 for _ in recorded(0, options.data))
        self._rate = options.rate
        self._publisher = OrderPublisher(servers)
        self._sending = Sending(self._publisher, recorded(options.orders, options.data))
        self._closing = ExitStack()
        self._flushed = False

    @property
    def published(self) -> int:
        """How many of them were published."""
        return self._sending.sent

    @property
    def over(self) -> bool:
        """Whether all of them are in Kafka."""
        return self._flushed

    def _publish(self) -> None:
        """Publish what is due in a tick; who the customers are is known from the start."""
        due = self._rate * _TICK if self._rate else 5_000
        due = max(1, round(due)) if self.published >= self._at_once else self._at_once
        for _ in range(due):
            if not self._sending.step():
                self._publisher.flush(_FLUSHED)
                self._flushed = True
                return

    def __enter__(self) -> _Flow:
        self._closing.enter_context(self._publisher)
        self._closing.enter_context(running(Schedule(_TICK, self._publish).run))
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._closing.__exit__(*exc_info)


def _show(board: Board, flow: _Flow, store: Store, seen: Watch, stop: threading.Event) -> None:
    """Draw the board until all is in the tables, or until `stop`."""
    while not stop.wait(_LOOK):
        over = flow.over
        with store.reading() as db:
            waiting, _ = rows.waiting(db)
        lag = _newer(seen) if over else seen.now
        board.draw(flow.published, flow.total, store, lag if len(lag) else None, waiting)
        if over and not waiting and len(lag) and not _left(lag):
            return


def _newer(seen: Watch) -> pd.DataFrame:
    """Return what is seen from now on: what was seen before is older than the last event.

    While brokers are away nothing is: then there is no row.
    """
    with suppress(NeverHappened):
        return seen.wait_until(lambda now: True, within=_NEWER)
    return seen.now.head(0)


def _left(lag: pd.DataFrame) -> int:
    """Return how many records are to be handled: all of them where nothing is committed."""
    return int(lag["lag"].fillna(lag["log_end_offset"]).sum())
