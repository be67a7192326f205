"""``chunter backups``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from chunter_nsq.cli import answer
from chunter_nsq.cli.conversation import Order, is_final, one
from chunter_nsq.cli.doors import speak
from chunter_nsq.cli.exits import Exit, of_status
from chunter_nsq.cli.outline import plain, table
from chunter_nsq.cli.shorthand import STATUSES, Terms, order_options
from chunter_nsq.cli.talk import only_host
from chunter_nsq.client import Client

EXAMPLES = f"""\b
Examples:
  chunter backups                   all machines that have backups
  chunter backups VM                those of one machine
  chunter backups VM --json | jq -r '.backups[].snapshot'
\b
SINCE is the backup that an increment needs: to restore a backup, all those
before it in the line must be there. STORED is what it takes in the store, RAW
how long its streams are. A backup is listed once it is complete.
\b
{STATUSES}
"""

_COLUMNS = ("snapshot", "since", "made", "stored", "raw", "host")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")

Found = dict[str, list[Any]]


@click.command(epilog=EXAMPLES)
@click.argument("vm", required=False)
@order_options(60.0, can_leave=False)
def backups(*, terms: Terms, vm: str | None) -> None:
    """List the backups in the store that a host uses: of the machine VM, or of all."""
    found, status = speak(_ask(terms, vm))
    if status is not Exit.SUCCEEDED:
        raise SystemExit(status)
    if terms.as_json:
        click.echo(json.dumps(found, indent=2 if sys.stdout.isatty() else None))
    else:
        click.echo("\n".join(listing(found["backups"])) if found["backups"] else "There is no backup.")
        for name in found["unreadable"]:
            click.echo(f"{plain(name)} cannot be read: what it stands for is not listed", err=True)


def listing(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table for each machine, in the order in which its backups were made."""
    machines = sorted({str(one.get("uuid")) for one in found})
    return [line for vm in machines for line in _machine(vm, [one for one in found if str(one.get("uuid")) == vm])]


def _machine(vm: str, found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = [_row(one) for one in sorted(found, key=lambda one: str(one.get("created")))]
    yield plain(vm)
    yield from (f"  {line}" for line in table(rows, _COLUMNS))


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "snapshot": one.get("snapshot"),
        "since": one.get("parent") or "(full)",
        "made": str(one.get("created"))[:16].replace("T", " "),
        "stored": _size(one.get("size")),
        "raw": _size(one.get("raw_size")),
        "host": one.get("host"),
    }


def _size(count: Any) -> str:
    if not isinstance(count, int | float):
        return "-"
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - binary
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if value >= 10 or not unit else f"{value:.1f} {_UNITS[unit]}"  # noqa: PLR2004 - digits


async def _ask(terms: Terms, vm: str | None) -> tuple[Found, Exit]:
    """All pages; what went wrong is told."""
    found: Found = {"backups": [], "unreadable": []}
    after: Any = None
    async with terms.doors.client() as client:
        host = terms.host or await only_host(client)
        while True:
            order = replace(terms.order("backup.list", vm, {"after": after} if after else {}), host=host)
            page, status = await _page(client, order, terms.timeout)
            for name in found:
                found[name] += page.get(name) or []
            after = page.get("after")
            if not after:
                return found, status


async def _page(client: Client, order: Order, timeout_seconds: float) -> tuple[Mapping[str, Any], Exit]:
    data = await one(client, await order.send(client), timeout_seconds, lambda _: None)
    if data is None or not is_final(data):
        click.echo(answer.silence(order.action, order.host, timeout_seconds), err=True)
        return {}, Exit.TIMED_OUT
    result = data.get("result")
    if data.get("status") != "succeeded" or not isinstance(result, Mapping):
        click.echo("\n".join(answer.failure(data)), err=True)
        return {}, of_status(data.get("status"))
    return result, Exit.SUCCEEDED
