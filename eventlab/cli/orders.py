"""`eventlab orders ...`: the order system as processes, one for each part of it."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventlab.errors import InvalidSetting, shown

if TYPE_CHECKING:
    from eventlab.orders.processes.figures import Figures
    from eventlab.orders.publisher import OrderPublisher
    from eventlab.orders.store import Store

_MOST_DAYS = 36_500

log = logging.getLogger("eventlab.orders")


def api(options: argparse.Namespace) -> None:
    """Serve REST, Socket.IO and the page until Ctrl-C or SIGTERM."""
    from eventlab.orders.web import OrderApi
    from eventlab.orders.web.server import Server

    kafka = _begin(options)
    with _store(options) as store:
        token = _token(options.token_file)
        shop = OrderApi(store, **kafka, outbox=options.outbox, rate=options.rate, token=token)
        server = Server(shop, options.host, options.port, options.name)
        print(f"Open {server.link()} within ten minutes; the link is good once.", flush=True)
        print(f"Programs send the token in {server.token_file} to {server.url}.", flush=True)
        server.run()


def publish(options: argparse.Namespace) -> None:
    """Publish all that happened to so many orders of the sample shop, then end."""
    from eventlab.orders.events import OrderCreated
    from eventlab.orders.processes.sample import Sending, happenings
    from eventlab.progress import Progress

    events, orders = happenings(options.orders, options.seed), 0
    with _publisher(_begin(options)) as publisher, Progress("Publishing", "orders") as bar:
        sending = Sending(publisher, events)
        while event := sending.step():
            orders += isinstance(event, OrderCreated)
            bar(orders, options.orders)
        publisher.flush(options.within)
    print(f"Published {sending.sent} events of {options.orders} orders.")


def schedule(options: argparse.Namespace) -> None:
    """Publish who the customers are, then an event at every tick until Ctrl-C or SIGTERM."""
    from eventlab.orders.processes.sample import Sending, beginnings, without_end
    from eventlab.orders.schedule import Schedule

    kafka = _begin(options)
    with _publisher(kafka) as publisher:
        known = Sending(publisher, beginnings(options.seed))
        sending = Sending(publisher, without_end(kafka, options.seed))
        missed = options.missed.replace("-", " ")
        ticks = Schedule(options.every, lambda: sending.step(options.every + 10), missed=missed)
        while known.step():
            pass
        publisher.flush()
        _until_asked(ticks.run)
        print(f"Published {ticks.done} events, {ticks.failed} failed, {ticks.skipped} skipped.")


def relay(options: argparse.Namespace) -> None:
    """Move events from the outbox to Kafka until Ctrl-C or SIGTERM."""
    from eventlab.orders.outbox.relay import Relay
    from eventlab.orders.processes import figures

    kafka = _begin(options)
    with _store(options) as store, _publisher(kafka) as publisher:
        moving = Relay(store, publisher)
        ready = {"sql": store.answers, "kafka": publisher.answers}
        with _operations(options, ready, figures.waiting(store)):
            _until_asked(moving.run)


def subscribe(options: argparse.Namespace) -> None:
    """Handle events into SQL until Ctrl-C or SIGTERM."""
    from eventlab.orders.asyncapi import TOPICS
    from eventlab.orders.processes import figures
    from eventlab.orders.subscriber import OrderSubscriber
    from eventlab.orders.timers import cancel_unpaid

    days = options.cancel_after
    timer = None if days is None else partial(cancel_unpaid, after=_days(days))
    kafka = _begin(options)
    with _store(options) as store:
        topics = sorted(TOPICS.values())
        with OrderSubscriber(
            group_id=options.group,
            topics=topics,
            store=store,
            park=options.park,
            timer=timer,
            **kafka,
        ) as subscriber:
            counted = figures.counts(
                "orders_events_handled",
                "Records that are behind this subscriber, by what became of them.",
                "outcome",
                lambda: {"done": subscriber.done, "dead": subscriber.dead},
            )
            ready = {"sql": store.answers, "kafka": subscriber.ready}
            with _operations(options, ready, counted, figures.lag(kafka, options.group)):
                subscriber.run()
            log.info("%d events handled, %d dead letters", subscriber.done, subscriber.dead)


def status(options: argparse.Namespace) -> None:
    """Say how many orders are where, what waits, and how far the group is behind."""
    from eventlab.orders.processes.status import look, told

    kafka = _begin(options)
    with _store(options) as store:
        found = look(kafka, store, options.group)
        print(json.dumps(found) if options.json else told(found))


def replay(options: argparse.Namespace) -> None:
    """Show dead letters, or send them back to the topics that they came from."""
    from eventlab.orders.subscriber import replay as replayed

    since = None if options.since is None else _time(options.since)
    chosen = {"since": since, "exception": options.exception, "key": options.key}
    how = {"dry_run": not options.send, "within": options.within}
    found = replayed(topic=options.topic, **_begin(options), **how, **chosen)
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


def _begin(options: argparse.Namespace) -> dict[str, Any]:
    """Begin to log; return what clients need to reach Kafka, where the topics are made."""
    from eventlab.orders import topics
    from eventlab.orders.processes import here

    _log(options)
    kafka = here.kafka(options.servers, options.cluster)
    for topic in topics.make(**kafka):
        log.info("made the topic %s", topic)
    return kafka


def _store(options: argparse.Namespace) -> Store:
    from eventlab.orders.processes import here

    return here.store(options.store)


def _log(options: argparse.Namespace) -> None:
    from eventlab.orders.processes import log as process_log

    process_log.begin(options.log)


def _publisher(kafka: Mapping[str, Any]) -> OrderPublisher:
    from eventlab.orders.publisher import OrderPublisher

    return OrderPublisher(**kafka)


@contextlib.contextmanager
def _operations(
    options: argparse.Namespace, ready: Mapping[str, Callable[[], bool]], *figures: Figures
) -> Iterator[None]:
    """Serve /metrics and /health while a process works, if a port was given."""
    if options.metrics_port is None:
        yield
        return
    from eventlab.orders.processes.figures import registry
    from eventlab.orders.processes.operations import Operations

    host = options.metrics_host
    with Operations(options.metrics_port, registry(*figures), ready, host) as serving:
        print(f"Metrics: http://{host}:{serving.port}/metrics", flush=True)
        yield


def _until_asked(run: Callable[[threading.Event], object]) -> None:
    from eventlab.orders import interrupts

    stop = threading.Event()
    with interrupts.heard(stop.set):
        run(stop)


def _token(file: str | None) -> str | None:
    if file is None:
        return None
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(
            "The token of the API cannot be read.",
            f"The file {shown(file)} says: {getattr(error, 'strerror', None) or error}.",
            "Give --token-file a file of yours, or leave it out for a new token at each start.",
        ) from None


def _days(given: float) -> timedelta:
    if 0 < given <= _MOST_DAYS:
        return timedelta(days=given)
    raise InvalidSetting(
        "--cancel-after cannot be this.",
        f"You gave {shown(given)}.",
        f"Use a number of days above 0 and up to {_MOST_DAYS:,}, such as 28.",
    )


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidSetting(
            "--since is no time.", f"You gave {shown(text)}.", "Use 2026-06-01T08:15:00Z."
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
