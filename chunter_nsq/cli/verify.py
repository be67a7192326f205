"""``chunter verify``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from chunter_nsq.cli.answer import heading
from chunter_nsq.cli.conversation import Data
from chunter_nsq.cli.exits import Exit, of_status
from chunter_nsq.cli.outline import plain
from chunter_nsq.cli.shorthand import STATUSES, Terms, order_options

LEVELS = ("catalogue", "hash", "stream", "restore")

EXAMPLES = f"""\b
How closely to look, each closer than the one before:
  catalogue  every object is there, with its size (a request each)
  hash       every byte is what was stored (reads all of it)
  stream     and it is a ZFS stream between the right snapshots
  restore    and this host's ZFS receives it (into a dataset of its own)
\b
Examples:
  chunter verify VM monday
  chunter verify VM monday --level restore --host hv2
\b
{STATUSES} Damage found is 1 as well.
"""


@click.command(epilog=EXAMPLES)
@click.argument("vm")
@click.argument("snapshot")
@click.option("--level", type=click.Choice(LEVELS), default="hash", show_default=True, help="How closely to look.")
@order_options(86400.0, can_leave=True)
def verify(*, terms: Terms, vm: str, snapshot: str, level: str) -> None:
    """Look whether the backup SNAPSHOT of the machine VM is what was stored; exit 1 when it is not.

    An increment is looked at alone up to the level stream; verify its parents too. The level restore receives all
    that it needs.
    """
    order = terms.order("backup.verify", vm, {"snapshot": snapshot, "level": level})
    raise SystemExit(terms.talk(order, summary=told, judge=judged).run())


def judged(data: Data) -> Exit:
    """A look that found damage has succeeded, and the backup has not."""
    found = of_status(data.get("status"))
    return Exit.FAILED if found is Exit.SUCCEEDED and _result(data).get("good") is not True else found


def told(data: Data) -> list[str]:
    """Each file with what was found."""
    result = _result(data)
    verdict = "good" if result.get("good") is True else "DAMAGED"
    files = result.get("files")
    lines = _files(files) if isinstance(files, Mapping) else ()
    return [f"{heading(data)}: {verdict} ({plain(result.get('level'))})", *lines]


def _files(files: Mapping[str, Any]) -> Iterator[str]:
    for key, faults in files.items():
        found = [one for one in faults if isinstance(one, Mapping)] if isinstance(faults, list) else []
        yield f"  {'damaged' if found else 'good':<8}{plain(key)}"
        yield from (f"          {plain(one.get('message'))}" for one in found)


def _result(data: Data) -> Mapping[str, Any]:
    result = data.get("result")
    return result if isinstance(result, Mapping) else {}
