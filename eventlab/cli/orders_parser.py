"""The options of `eventlab orders ...`, with an example of each command."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from eventlab.cli import command as command_line
from eventlab.cli import orders
from eventlab.cli.variables import Part

if TYPE_CHECKING:
    from eventlab.cli.command import Commands, Run


def add(commands: Commands) -> None:
    """Add the command `orders` and those below it."""
    top = commands.add_parser(
        "orders",
        help="run the order system, or a part of it",
        description="Run the order system: each part is a process of its own.",
        epilog="example:\n  eventlab orders demo\n  eventlab orders subscribe --store shop.db",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts: Commands = top.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Part
    )
    _publishing(parts)
    _subscribing(parts)
    _looking(parts)


def _publishing(parts: Commands) -> None:
    api = _part(
        *(parts, "api", orders.api, "serve REST, Socket.IO and a page where orders are placed"),
        *("api", "api --outbox --port 8080"),
    )
    _store(api)
    api.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1)")
    api.add_argument("--port", type=int, default=0, help="its port (default: a free one)")
    api.add_argument("--name", action="append", default=[], help="a name it is reached by")
    api.add_argument("--outbox", action="store_true", help="write into the outbox; run a relay too")
    api.add_argument("--rate", type=float, default=50.0, metavar="N", help="requests a second each")
    api.add_argument("--token-file", metavar="FILE", help="has the token (default: a new token)")
    publish = _part(
        *(parts, "publish", orders.publish, "publish what happened to some sample orders"),
        *("publish --orders 1000",),
    )
    publish.add_argument("--within", type=float, default=120.0, metavar="S", help="default: 120 s")
    schedule = _part(
        *(parts, "schedule", orders.schedule, "publish an event at each tick, of ever new orders"),
        *("schedule --every 0.5", "schedule --every 60 --missed catch-up"),
    )
    schedule.add_argument("--every", type=float, default=1.0, metavar="S", help="default: 1 s")
    schedule.add_argument(
        "--missed", choices=("skip", "catch-up"), default="skip", help="what becomes of late ticks"
    )
    _orders(publish, 100)
    for command in (publish, schedule):
        command.add_argument("--seed", type=int, default=7, help="which shop (default: 7)")
    relay = _part(
        *(parts, "relay", orders.relay, "move events from the outbox to Kafka"),
        *("relay --store shop.db --metrics-port 9102",),
    )
    _store(relay)
    _metrics(relay)


def _subscribing(parts: Commands) -> None:
    subscribe = _part(
        *(parts, "subscribe", orders.subscribe, "handle events into SQL"),
        *("subscribe --store shop.db", "subscribe --group billing --cancel-after 28"),
    )
    _store(subscribe)
    _metrics(subscribe)
    _group(subscribe)
    subscribe.add_argument("--park", action="store_true", help="park what is behind a dead letter")
    subscribe.add_argument(
        "--cancel-after", type=float, metavar="DAYS", help="cancel what is unpaid for so long"
    )
    replay = _part(
        *(parts, "replay", orders.replay, "show dead letters, or send them back"),
        *("replay", "replay --exception NotYet --send"),
    )
    replay.add_argument("--topic", default="orders-dlt", help="default: orders-dlt")
    replay.add_argument("--since", metavar="TIME", help="only those from this time on (UTC)")
    replay.add_argument("--exception", metavar="PART", help="only those with this in its name")
    replay.add_argument("--key", help="only those of this key")
    replay.add_argument("--within", type=float, default=60.0, metavar="S", help="default: 60 s")
    replay.add_argument("--send", action="store_true", help="send them back (default: only show)")
    replay.add_argument("--json", action="store_true", help="print one JSON object a line")


def _looking(parts: Commands) -> None:
    status = _part(
        *(parts, "status", orders.status, "say how many orders are where, and what waits"),
        *("status --json",),
    )
    _store(status)
    _group(status)
    status.add_argument("--json", action="store_true", help="print JSON for a program")
    demo = _part(
        *(parts, "demo", orders.demo, "run the whole order system and show it at work"),
        *("demo", "demo --orders 5000 --rate 0 --members 3 --save lag.svg"),
    )
    _orders(demo, 300)
    demo.add_argument("--data", metavar="FOLDER", help="files as in data/, which is the default")
    demo.add_argument("--rate", type=float, default=100.0, metavar="N", help="events a second")
    demo.add_argument("--members", type=int, default=2, metavar="N", help="subscribers (default 2)")
    demo.add_argument("--save", metavar="FILE", help="draw the lag into a file, such as lag.svg")
    demo.set_defaults(cluster="orders-demo")


def _part(
    parts: Commands, name: str, run: Run, what: str, *examples: str
) -> argparse.ArgumentParser:
    command = command_line.add(parts, name, run, what, *examples, of="eventlab orders")
    command.add_argument("--servers", metavar="HOST:PORT,...", help="Kafka")
    command.add_argument("--cluster", default="lab", help="else the cluster here (default: lab)")
    command.add_argument(
        "--log", choices=("people", "json"), default="people", help="lines for people, or JSON"
    )
    return command


def _store(command: argparse.ArgumentParser) -> None:
    command.add_argument("--store", metavar="URL", help="a file, or postgresql://")


def _metrics(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--metrics-port", type=int, metavar="PORT", help="serve /metrics and /health; 0: a free one"
    )
    command.add_argument(
        "--metrics-host", default="127.0.0.1", metavar="HOST", help="where (default: 127.0.0.1)"
    )


def _group(command: argparse.ArgumentParser) -> None:
    command.add_argument("--group", default="shop", help="the consumer group (default: shop)")


def _orders(command: argparse.ArgumentParser, orders: int) -> None:
    command.add_argument(
        "--orders", type=int, default=orders, metavar="N", help=f"default: {orders}"
    )
