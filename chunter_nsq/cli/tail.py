"""``chunter tail``."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, suppress

import click

from chunter_nsq.bus.names import valid_name
from chunter_nsq.cli.doors import Doors, nsq_options, speak
from chunter_nsq.cli.exits import Exit
from chunter_nsq.cli.sentences import Names, line
from chunter_nsq.client import SHORT_NAMES
from chunter_nsq.mistyped import meant

USUAL = ("zone", "service", "snapshot", "backup", "result", "announce")
_HEARTBEAT = "chunter.host.heartbeat"

EXAMPLES = """\b
Examples:
  chunter tail
  chunter tail zone my.results
  chunter tail announce --json --count 1
  chunter tail zone --for 60 --json > zones.jsonl
"""


@click.command(epilog=EXAMPLES)
@click.argument("topics", metavar="[TOPIC]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Each event as it is, one a line.")
@click.option("--for", "seconds", type=click.FloatRange(0, min_open=True), help="End after so many seconds.")
@click.option("--count", type=click.IntRange(1), help="End after so many events.")
@nsq_options
def tail(*, doors: Doors, topics: tuple[str, ...], as_json: bool, seconds: float | None, count: int | None) -> None:
    """Follow what agents publish, until ctrl-C.

    TOPIC is zone, service, zpool, arc, memory, snapshot, backup, metric, announce, result, deadletter or command, or
    the whole name of any topic. Without one: zone, service, snapshot, backup, result and announce, heartbeats left out.
    """
    for name in topics:
        if not valid_name(name):
            raise click.BadParameter(f"{name!r} is no topic name: 1 to 64 of A-Z a-z 0-9 . _ -", param_hint="TOPIC")
        if "." not in name and name not in SHORT_NAMES and (hint := meant(name, SHORT_NAMES)):
            click.echo(f"Agents publish nothing on {name} by themselves; {hint}", err=True)
    with suppress(KeyboardInterrupt):
        speak(_follow(doors, topics, seconds, count, as_json=as_json))
    raise SystemExit(Exit.SUCCEEDED)


async def _follow(
    doors: Doors, topics: tuple[str, ...], seconds: float | None, count: int | None, *, as_json: bool
) -> None:
    left, names = count, Names()
    async with doors.client() as client:
        wanted = topics or USUAL
        await client.subscribe(wanted)
        click.echo(f"Following {', '.join(map(client.topic, wanted))}; ctrl-C ends.", err=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), aclosing(client.events(wanted)) as events:
                async for topic, event in events:
                    names.learn(event)
                    if not topics and event.get("type") == _HEARTBEAT:
                        continue
                    short = topic.removeprefix(f"{client.prefix}.")
                    click.echo(json.dumps(event, separators=(",", ":")) if as_json else line(short, event, names))
                    left = None if left is None else left - 1
                    if left == 0:
                        return
