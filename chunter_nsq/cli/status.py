"""``chunter status``: asks the agent of this host through its status listener."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import click

from chunter_nsq.cli.listener import Data, asked
from chunter_nsq.cli.outline import outline, plain, table, width
from chunter_nsq.cli.tree import tree_options
from chunter_nsq.config import Paths


@click.command()
@tree_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def status(*, paths: Paths, as_json: bool) -> None:
    """Show how the agent of this host does; exit 1 when it does not answer, or another host's does."""
    told = asked(paths)
    click.echo(json.dumps(told) if as_json else "\n".join(report(told)))


def report(told: Data) -> Iterator[str]:
    """What the agent tells, as far as it tells it."""
    simulated = ", simulated" if told.get("simulated") else ""
    yield (
        f"{plain(told.get('alias') or 'this host')} ({plain(told.get('host'))}){simulated}: "
        f"chunter {plain(told.get('version'))}, up {uptime(told.get('uptime_seconds'))}"
    )
    missing = told.get("missing")
    if isinstance(missing, list) and missing:
        yield f"not ready: {plain(missing)}"
    yield from _nsq(_part(told, "nsq"))
    yield from _line("outbox", _part(told, "outbox"))
    running = _rows(told, "running")
    yield f"{'commands':<12}{len(running)} running, {plain(told.get('queued', 0))} queued"
    yield from _table(running)
    publishers = _rows(told, "publishers")
    failing = [one for one in publishers if one.get("state", "ok") != "ok"]
    if publishers:
        yield f"{'publishers':<12}{len(publishers) - len(failing)} ok, {len(failing)} failing"
    yield from _table(failing)
    yield from _tools(_rows(told, "tools"))
    shown = {"host", "alias", "version", "started", "uptime_seconds", "simulated", "missing", "nsq", "outbox"}
    rest = {
        name: one
        for name, one in told.items()
        if name not in shown | {"running", "queued", "queues", "publishers", "tools"} and one
    }
    yield from outline(rest)


def uptime(seconds: Any) -> str:
    """In the two largest units."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return "-"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {int(seconds % 60)} s" if minutes else f"{int(seconds)} s"


def _nsq(told: Data) -> Iterator[str]:
    producer = _part(told, "producer")
    if producer:
        yield from _link("publishes", producer, "to")
    for consumer in _rows(told, "consumers"):
        yield from _link(f"reads {plain(consumer.get('topic'))}", consumer, "from")


def _link(what: str, told: Data, preposition: str) -> Iterator[str]:
    connected = told.get("connected")
    where = f"{preposition} {plain(connected)}" if connected else "NOT CONNECTED"
    reason = f" ({plain(told['last_error'])})" if told.get("last_error") else ""
    yield f"{'nsq':<12}{what} {where}{reason}"


def _tools(running: list[Data]) -> Iterator[str]:
    for one in running:
        argv = one.get("argv")
        typed = shlex.join(map(str, argv)) if isinstance(argv, list) else plain(argv)
        yield f"{'tool':<12}{plain(typed)} (process {plain(one.get('pid'))})"


def _line(name: str, told: Data) -> Iterator[str]:
    if told:
        yield f"{name:<12}" + ", ".join(f"{plain(key).replace('_', ' ')} {plain(one)}" for key, one in told.items())


def _table(rows: list[Data]) -> Iterator[str]:
    if rows:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        yield from (f"  {line}" for line in table(rows, columns, width() - 2))


def _part(value: Data, name: str) -> Data:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def _rows(value: Data, name: str) -> list[Data]:
    found = value.get(name)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
