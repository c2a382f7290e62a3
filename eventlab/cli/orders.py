"""`eventlab orders ...`: the order system as processes, one for each part of it."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

from eventlab.errors import InvalidSetting, shown

if TYPE_CHECKING:
    from eventlab.orders.processes.figures import Figures
    from eventlab.orders.publisher import OrderPublisher
    from eventlab.orders.store import Store

log = logging.getLogger("eventlab.orders")


def api(options: argparse.Namespace) -> None:
    """Serve REST, Socket.IO and the page until Ctrl-C or SIGTERM."""
    from eventlab.orders.web import OrderApi
    from eventlab.orders.web.server import Server

    servers = _begin(options)
    with _store(options) as store:
        shop = OrderApi(store, servers, outbox=options.outbox, rate=options.rate)
        server = Server(shop, options.host, options.port, options.name)
        print(f"Open {server.link()} within ten minutes; the link is good once.", flush=True)
        print(f"Programs send the token in {server.token_file} to {server.url}.", flush=True)
        server.run()


def publish(options: argparse.Namespace) -> None:
    """Publish all that happened to so many orders of the sample shop, then end."""
    from eventlab.orders.cloudevents import encode
    from eventlab.orders.processes.sample import happenings, topic_of
    from eventlab.progress import Progress

    with _publisher(_begin(options)) as publisher:
        events = list(happenings(options.orders, options.seed))
        with Progress("Publishing", "events") as bar:
            for number, event in enumerate(events, 1):
                publisher.publish_encoded(event, encode(event), topic_of(event))
                bar(number, len(events))
            publisher.flush(options.within)
        print(f"Published {len(events)} events of {options.orders} orders.")


def schedule(options: argparse.Namespace) -> None:
    """Publish one event after the other, one at every tick, until Ctrl-C or SIGTERM."""
    from eventlab.orders import sample_events
    from eventlab.orders.schedule import Schedule

    with _publisher(_begin(options)) as publisher:
        events = cycle(sample_events(options.orders, options.seed))
        ticks = Schedule(
            options.every,
            lambda: publisher.publish(next(events)).get(options.every + 10),
            missed=options.missed.replace("-", " "),
        )
        _until_asked(ticks.run)
        print(f"Published {ticks.done} events, {ticks.failed} failed, {ticks.skipped} skipped.")


def relay(options: argparse.Namespace) -> None:
    """Move events from the outbox to Kafka until Ctrl-C or SIGTERM."""
    from eventlab.orders.outbox.relay import Relay
    from eventlab.orders.processes import figures

    servers = _begin(options)
    with _store(options) as store, _publisher(servers) as publisher:
        moving = Relay(store, publisher)
        with _operations(options, store, figures.waiting(store)):
            _until_asked(moving.run)


def subscribe(options: argparse.Namespace) -> None:
    """Handle events into SQL until Ctrl-C or SIGTERM."""
    from eventlab.orders.asyncapi import TOPICS
    from eventlab.orders.processes import figures
    from eventlab.orders.subscriber import OrderSubscriber
    from eventlab.orders.timers import cancel_unpaid

    days = options.cancel_after
    timer = None if days is None else partial(cancel_unpaid, after=timedelta(days=days))
    servers = _begin(options)
    with _store(options) as store:
        topics = sorted(TOPICS.values())
        with OrderSubscriber(
            servers, options.group, topics, store=store, park=options.park, timer=timer
        ) as subscriber:
            counted = figures.counts(
                "orders_events_handled",
                "Records that are behind this subscriber, by what became of them.",
                "outcome",
                lambda: {"done": subscriber.done, "dead": subscriber.dead},
            )
            with _operations(options, store, counted, figures.lag(servers, options.group)):
                subscriber.run()
            log.info("%d events handled, %d dead letters", subscriber.done, subscriber.dead)


def status(options: argparse.Namespace) -> None:
    """Say how many orders are where, what waits, and how far the group is behind."""
    from eventlab.orders.processes.status import look, told

    servers = _begin(options)
    with _store(options) as store:
        found = look(servers, store, options.group)
        print(json.dumps(found) if options.json else told(found))


def replay(options: argparse.Namespace) -> None:
    """Show dead letters, or send them back to the topics that they came from."""
    from eventlab.orders.subscriber import replay as replayed

    since = None if options.since is None else _time(options.since)
    chosen = {"since": since, "exception": options.exception, "key": options.key}
    found = replayed(_begin(options), options.topic, dry_run=not options.send, **chosen)
    columns = ["time", "key", "original_topic", "original_offset", "exception", "replayed"]
    if options.json:
        print(found.to_json(orient="records", lines=True, date_format="iso"), end="")
    elif len(found):
        print(found[columns].to_string(index=False))
    new = int((~found["replayed"].astype(bool)).sum())
    ending = "sent back" if options.send else "to be sent back; add --send to do so"
    print(f"{len(found)} dead letters, {new} {ending}.", file=sys.stderr)


def demo(options: argparse.Namespace) -> None:
    """Run the whole shop on the cluster of this machine, and show it at work."""
    from eventlab.orders.processes.demo import play

    _log(options)
    play(options, partial(print, flush=True))


def _begin(options: argparse.Namespace) -> str:
    """Begin to log; return the addresses of Kafka, where the topics of the shop are made."""
    from eventlab.orders import topics
    from eventlab.orders.processes import here

    _log(options)
    servers = here.servers(options.servers, options.cluster)
    for topic in topics.make(servers):
        log.info("made the topic %s", topic)
    return servers


def _store(options: argparse.Namespace) -> Store:
    from eventlab.orders.processes import here

    return here.store(options.store)


def _log(options: argparse.Namespace) -> None:
    from eventlab.orders.processes import log as process_log

    process_log.begin(options.log)


def _publisher(servers: str) -> OrderPublisher:
    from eventlab.orders.publisher import OrderPublisher

    return OrderPublisher(servers)


@contextlib.contextmanager
def _operations(options: argparse.Namespace, store: Store, *figures: Figures) -> Iterator[None]:
    """Serve /metrics and /health while a process works, if a port was given."""
    if options.metrics_port is None:
        yield
        return
    from eventlab.orders.processes.figures import registry
    from eventlab.orders.processes.operations import Operations

    with Operations(options.metrics_port, registry(*figures), {"sql": store.answers}) as serving:
        print(f"Metrics: http://127.0.0.1:{serving.port}/metrics", flush=True)
        yield


def _until_asked(run: Callable[[threading.Event], object]) -> None:
    from eventlab.orders import interrupts

    stop = threading.Event()
    with interrupts.heard(stop.set):
        run(stop)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidSetting(
            "--since is no time.", f"You gave {shown(text)}.", "Use 2026-06-01T08:15:00Z."
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
